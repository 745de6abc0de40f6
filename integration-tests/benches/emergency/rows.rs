//! The least that a durable row costs: SQLite, write-ahead log, `synchronous=FULL`, one table.

use std::path::Path;

use rusqlite::Connection;

use crate::measure::{cpu_of_thread, percentile, seconds};

/// What rows of one size cost, in batches of one size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    /// Wall time of one row.
    pub(crate) row: f64,
    /// CPU time of one row.
    pub(crate) cpu: f64,
    /// Wall time of one commit of a whole batch: median.
    pub(crate) commit: f64,
}

/// A table like the ledger's, and nothing else.
pub(crate) struct Table {
    connection: Connection,
    next: u64,
}

impl Table {
    /// A fresh file in `dir`, with the ledger's settings.
    pub(crate) fn new(dir: &Path) -> Self {
        let connection = Connection::open(dir.join("rows.db")).expect("a database");
        connection
            .execute_batch(
                "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
                 PRAGMA wal_autocheckpoint = 512; PRAGMA cache_size = -4096;
                 CREATE TABLE row(seq INTEGER PRIMARY KEY, leaf BLOB NOT NULL, bytes BLOB NOT NULL);",
            )
            .expect("a table");
        Self { connection, next: 0 }
    }

    /// One transaction.
    pub(crate) fn commit(&mut self, rows: &[Vec<u8>]) {
        let transaction = self.connection.transaction().expect("begins");
        for row in rows {
            let mut insert = transaction
                .prepare_cached("INSERT INTO row(seq, leaf, bytes) VALUES (?1, ?2, ?3)")
                .expect("planned");
            insert.execute((self.next, [7_u8; 32], row)).expect("inserted");
            self.next += 1;
        }
        transaction.commit().expect("durable");
    }
}

/// Rows of `bytes` bytes, `batch` to a commit, for about `budget` seconds.
pub(crate) fn cost(dir: &Path, batch: usize, bytes: usize, budget: f64) -> Cost {
    let dir = tempfile::tempdir_in(dir).expect("a directory");
    let mut table = Table::new(dir.path());
    let rows = vec![vec![b'x'; bytes]; batch];
    table.commit(&rows);
    let (mut commits, mut total) = (Vec::new(), 0.0);
    let cpu = cpu_of_thread();
    while total < budget || commits.len() < 20 {
        let (taken, ()) = seconds(|| table.commit(&rows));
        commits.push(taken);
        total += taken;
    }
    let count = (commits.len() * batch) as f64;
    Cost {
        row: total / count,
        cpu: (cpu_of_thread() - cpu) / count,
        commit: percentile(&mut commits, 50),
    }
}
