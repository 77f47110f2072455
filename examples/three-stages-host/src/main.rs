//! One process reads a table, three transform its lines, one writes the rows to a file and passes them on to this program,
//! which puts them into an SQLite database.

use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result, anyhow};
use rusqlite::Connection;
use wasmpool::grants::DirectoryGrant;
use wasmpool::objects::{GetError, Queue};
use wasmpool::pipeline::{Pipeline, Stage, Stopper};

fn main() -> Result<()> {
    // Lets this program be its own workers' executable. First, before any thread is started.
    wasmpool::worker::enter_if_asked();

    let mut args = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(module), Some(input), Some(out)) = (args.next(), args.next(), args.next()) else {
        return Err(anyhow!(
            "give the module, the folder of penguins.csv, and one to write to"
        ));
    };
    let database = out.join("penguins.sqlite");
    let stored = Queue::builder().messages(100).name("stored").build();
    let pipeline = pipeline(&module, &input, &out, &stored);

    let store = {
        let (database, stored) = (database.clone(), stored.clone());
        thread::spawn(move || store(&database, &stored))
    };
    let ran = pipeline.run(&Stopper::new()?, |name, record| {
        eprintln!("{name}: {}", record.message);
    });
    // Its producer has returned, or will never come: the database is at its end, too.
    stored.close();
    let rows = store
        .join()
        .map_err(|_| anyhow!("the storing thread panicked"))??;
    ran?;
    println!("{rows} rows in the database");
    print_summary(&database)
}

fn pipeline(module: &Path, input: &Path, out: &Path, stored: &Queue) -> Pipeline {
    let stage = |name: &str, function: &str, item: &str| Stage {
        function: Some(function.into()),
        item: item.into(),
        ..Stage::new(name, module)
    };
    let directory = |host: &Path, guest: &str, writable| DirectoryGrant {
        host_path: host.into(),
        guest_path: guest.into(),
        writable,
    };
    let mut read = stage("read", "read", r#"["/input/penguins.csv", "lines"]"#);
    read.puts = vec!["lines".into()];
    read.grants.directories = vec![directory(input, "/input", false)];
    let mut transform = stage("transform", "transform", r#"["lines", "rows"]"#);
    transform.replicas = 3;
    transform.gets = vec!["lines".into()];
    transform.puts = vec!["rows".into()];
    let item = r#"["rows", "/out/penguins.jsonl", "stored"]"#;
    let mut write = stage("write", "write-and-pass-on", item);
    write.gets = vec!["rows".into()];
    write.puts = vec!["stored".into()];
    write.grants.directories = vec![directory(out, "/out", true)];
    let queue = |name: &str| {
        let queue = Queue::builder().messages(100).name(name).build();
        (name.to_owned(), queue)
    };
    Pipeline {
        queues: [
            queue("lines"),
            queue("rows"),
            ("stored".into(), stored.clone()),
        ]
        .into(),
        // This program gets from it.
        held: ["stored".into()].into(),
        stages: vec![read, transform, write],
        ..Pipeline::default()
    }
}

/// Puts all rows into a new database. How many.
fn store(database: &Path, rows: &Queue) -> Result<u64> {
    let _ = std::fs::remove_file(database);
    let mut connection = Connection::open(database)?;
    connection.execute_batch(
        "CREATE TABLE penguins (species TEXT, island TEXT, mass_kg REAL, bill_ratio REAL)",
    )?;
    let transaction = connection.transaction()?;
    let mut count = 0;
    {
        let mut insert = transaction.prepare("INSERT INTO penguins VALUES (?1, ?2, ?3, ?4)")?;
        loop {
            let row = match rows.get(None) {
                Ok(row) => row,
                Err(GetError::Closed) => break,
                Err(error) => return Err(error.into()),
            };
            // What a guest sends is checked like any other input.
            let row: serde_json::Value = serde_json::from_slice(&row)?;
            let text = |field: &str| row[field].as_str().context("a row without a text");
            let number = |field: &str| row[field].as_f64().context("a row without a number");
            let (mass, ratio) = (number("mass_kg")?, number("bill_ratio")?);
            insert.execute((text("species")?, text("island")?, mass, ratio))?;
            count += 1;
        }
    }
    transaction.commit()?;
    Ok(count)
}

fn print_summary(database: &Path) -> Result<()> {
    let connection = Connection::open(database)?;
    let mut query = connection.prepare(
        "SELECT species, count(*), round(avg(mass_kg), 3) FROM penguins GROUP BY species ORDER BY species",
    )?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let (species, count, mass): (String, u64, f64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        println!("{species}: {count} penguins of {mass} kg");
    }
    Ok(())
}
