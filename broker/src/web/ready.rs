//! Pages of the newest lists, each made once: all who follow a list fetch it in the same moment, and to
//! copy and hash a megabyte for each of them would hold up the last.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::page::Page;
use crate::krl::SignedList;

/// The pages that were made of the newest lists.
#[derive(Default)]
pub(super) struct Ready(Mutex<Option<Made>>);

struct Made {
    lists: Arc<SignedList>,
    pages: BTreeMap<&'static str, Page>,
}

impl Ready {
    /// The page at `path` of `lists`, by `make` if nobody asked for it before.
    pub(super) fn page(
        &self,
        path: &'static str,
        lists: Arc<SignedList>,
        make: impl FnOnce() -> Option<Page>,
    ) -> Option<Page> {
        // Whoever comes meanwhile waits for the page instead of making it as well.
        let mut ready = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_of = |made: &&mut Made| Arc::ptr_eq(&made.lists, &lists);
        if let Some(made) = ready.as_mut().filter(is_of) {
            if let Some(page) = made.pages.get(path) {
                return Some(page.clone());
            }
            let page = make()?;
            made.pages.insert(path, page.clone());
            return Some(page);
        }
        let page = make()?;
        *ready = Some(Made { lists, pages: BTreeMap::from([(path, page.clone())]) });
        Some(page)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::super::page::Keep;
    use super::super::routes::numbered;
    use super::*;

    #[test]
    fn a_page_is_made_once_for_each_lists_and_never_shown_for_others() {
        let (ready, made) = (Ready::default(), Cell::new(0));
        let (first, second) = (numbered(1), numbered(2));
        let ask = |path, lists: &Arc<SignedList>| {
            let make = || {
                made.set(made.get() + 1);
                Some(Page::new(format!("{path} {}", lists.version), "text/plain", Keep::Ask))
            };
            ready.page(path, Arc::clone(lists), make).expect("a page").text()
        };
        for (path, lists, shown, times) in [
            ("krl", &first, "krl 1", 1),
            ("krl", &first, "krl 1", 1),
            ("crl", &first, "crl 1", 2),
            ("krl", &second, "krl 2", 3),
            ("crl", &second, "crl 2", 4),
            ("crl", &second, "crl 2", 4),
        ] {
            assert_eq!((ask(path, lists).as_str(), made.get()), (shown, times));
        }
        assert!(ready.page("none", first, || None).is_none());
    }
}
