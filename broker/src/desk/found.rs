//! The first two entries of a ledger: `genesis`, and the policy that it begins under.

use breakglass_ledger::bytes::{Digest, Salt};
use breakglass_ledger::entry::{Body, Entry, Genesis};
use breakglass_ledger::key::PublicKey;
use breakglass_ledger::note::Checkpoint;
use breakglass_ledger::policy::{self, Files};
use breakglass_ledger::statement::Statement;

use breakglass_rules::eligibility::Rules;

use super::enforce::policy_body;
use super::{DeskError, PolicyBundle};
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::mint::Mint;
use crate::store::{Head, Store, Write};

/// Writes `genesis` and the first policy into an empty ledger, in one transaction.
///
/// # Errors
///
/// [`DeskError::Policy`] if the manifest is not signed by the quorum of its own authority or does
/// not fit its files, [`DeskError::Rules`] if its rules do not compile; nothing was written then.
pub fn found(
    store: &mut Store,
    mint: &Mint,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
    manifest: &Statement,
    bundle: &PolicyBundle,
) -> Result<(), DeskError> {
    let public = mint.public();
    let policy =
        policy::activate(manifest, &bundle.signatures, &bundle.files, &public.origin, None)
            .map_err(DeskError::Policy)?;
    Rules::of(&policy).map_err(DeskError::Rules)?;
    let genesis = Genesis {
        deployment: public.origin.deployment().to_owned(),
        log_key: public.log.to_string(),
        ssh_ca: public.ssh_ca.to_openssh(),
        x509_ca: public.x509_ca.clone(),
        jwt_key: public.jwt_ssh_key()?.as_ref().map(PublicKey::to_openssh),
        lists_key: public.lists.to_openssh(),
        tls_ca: Digest::of(&public.tls_ca_der),
        software: concat!("breakglassd ", env!("CARGO_PKG_VERSION")).to_owned(),
    };
    store.write(|tx| {
        let append = |tx: &mut Write<'_>, body| {
            let mut salt = [0; 16];
            entropy.fill(&mut salt)?;
            let entry = Entry {
                seq: tx.size(),
                time: clock.now(),
                prev: tx.hash(),
                salt: Salt::from_bytes(salt),
                log: public.origin.clone(),
                body,
            };
            tx.append(&entry)?;
            Ok::<_, DeskError>(())
        };
        append(tx, Body::Genesis(genesis))?;
        for file in Files::NAMES {
            tx.put_blob(bundle.files.get(file).unwrap_or_default())?;
        }
        append(tx, policy_body(manifest, bundle, &policy))?;
        let Head { size, root, .. } = tx.head();
        let note =
            mint.sign_checkpoint(&Checkpoint { origin: public.origin.clone(), size, root })?;
        tx.put_checkpoint(&note)?;
        Ok(())
    })
}
