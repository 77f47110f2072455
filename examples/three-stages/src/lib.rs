//! A pipeline of three stages: one process reads lines, several make rows of them, one writes the rows.

use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};

use serde::{Deserialize, Serialize};
use wasmpool_guest::queue::Queue;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// One penguin, as far as it was measured.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Its species.
    pub species: String,
    /// The island on which it was found.
    pub island: String,
    /// Its mass, in kilogrammes.
    pub mass_kg: f64,
    /// How long its bill is, for its depth.
    pub bill_ratio: f64,
}

/// The row of a line of the table; none of a penguin that was not measured.
pub fn row(line: &str) -> Outcome<Option<Row>> {
    let fields: Vec<&str> = line.split(',').collect();
    let [species, island, length, depth, _, mass, ..] = fields[..] else {
        return Err(format!("a line with {} fields: {line}", fields.len()).into());
    };
    if [length, depth, mass]
        .iter()
        .any(|field| field.is_empty() || *field == "NA")
    {
        return Ok(None);
    }
    let (length, depth): (f64, f64) = (length.parse()?, depth.parse()?);
    let grams: f64 = mass.parse()?;
    Ok(Some(Row {
        species: species.into(),
        island: island.into(),
        mass_kg: grams / 1000.0,
        bill_ratio: length / depth,
    }))
}

fn read(path: &str, to: &str) -> Outcome<u64> {
    let lines = Queue::open(to)?;
    let mut count = 0;
    for line in BufReader::new(File::open(path)?).lines().skip(1) {
        lines.put(line?.as_bytes())?;
        count += 1;
    }
    Ok(count)
}

fn transform(from: &str, to: &str) -> Outcome<u64> {
    let (lines, rows) = (Queue::open(from)?, Queue::open(to)?);
    let mut count = 0;
    for line in lines.iter() {
        if let Some(row) = row(std::str::from_utf8(&line?)?)? {
            rows.put(&serde_json::to_vec(&row)?)?;
            count += 1;
        }
    }
    Ok(count)
}

fn write(from: &str, path: &str) -> Outcome<u64> {
    write_rows(from, path, None)
}

fn write_and_pass_on(from: &str, path: &str, to: &str) -> Outcome<u64> {
    write_rows(from, path, Some(to))
}

/// Writes rows to a file, a line each, and passes them on where that is asked for.
fn write_rows(from: &str, path: &str, to: Option<&str>) -> Outcome<u64> {
    let rows = Queue::open(from)?;
    let on = to.map(Queue::open).transpose()?;
    let mut file = BufWriter::new(File::create(path)?);
    let mut count = 0;
    for row in rows.iter() {
        let row = row?;
        file.write_all(&row)?;
        file.write_all(b"\n")?;
        if let Some(on) = &on {
            on.put(&row)?;
        }
        count += 1;
    }
    file.flush()?;
    Ok(count)
}

wasmpool_guest::tasks! {
    /// Puts the lines of a file into a queue, but the first. How many.
    read(path, to),
    /// Makes rows of lines, until there are no more. How many.
    transform(from, to),
    /// Writes rows to a file, until there are no more. How many.
    write(from, path),
    /// The same, and puts each into another queue.
    write_and_pass_on(from, path, to),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_becomes_a_row_if_it_was_measured() {
        let measured = row("Adelie,Torgersen,39.1,18.7,181,3750,male,2007").unwrap();
        let measured = measured.unwrap();
        assert_eq!((&*measured.species, measured.mass_kg), ("Adelie", 3.75));
        assert!((measured.bill_ratio - 2.0909).abs() < 1e-4);
        assert_eq!(row("Adelie,Torgersen,NA,NA,NA,NA,NA,2007").unwrap(), None);
        assert!(row("Adelie").is_err());
        assert!(row("a,b,c,d,e,f").is_err());
    }
}
