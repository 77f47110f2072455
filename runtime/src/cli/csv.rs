//! Rows of a CSV file as items: the columns are the parameters of the function, by name.
//!
//! A cell becomes what its parameter's type asks for; whether it fits is for the worker to say, which knows the types. Of
//! a task, whose types nobody but itself knows, cells that are JSON numbers, `true` or `false` are taken for such.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use csv::{ByteRecord, Reader, ReaderBuilder};
use serde_json::{Map, Value};

use super::exit::Problem;
use super::items::{Sink, open_input};
use super::json::is_json;
use super::names::LineNumbers;
use crate::catalogue::Code;
use crate::ipc::lookup::same_name;
use crate::ipc::manifest::Function;
use crate::pool::Payload;

/// A file whose header is read.
#[derive(Debug)]
pub struct Table {
    reader: Reader<File>,
    /// What the file is called.
    name: String,
    header: Vec<String>,
    columns: Columns,
    /// Where the items stand in it.
    pub numbers: Arc<LineNumbers>,
}

/// What becomes of a row.
#[derive(Debug, PartialEq)]
enum Columns {
    /// An object, a member a column.
    Object(Vec<(String, Cell)>),
    /// The one cell that there is.
    Single(Cell),
}

/// What becomes of a cell.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cell {
    /// A string.
    Text,
    /// JSON as it is; else a string.
    Json,
    /// A number or a boolean as it is; else a string.
    Guess,
    /// Nothing if it is empty; else a string, or JSON.
    Option { text: bool },
}

impl Cell {
    fn of(ty: &str) -> Cell {
        let is_text = |ty: &str| matches!(ty, "string" | "char") || ty.starts_with("enum ");
        match ty
            .strip_prefix("option<")
            .and_then(|ty| ty.strip_suffix('>'))
        {
            Some(ty) => Cell::Option { text: is_text(ty) },
            None if is_text(ty) => Cell::Text,
            None => Cell::Json,
        }
    }

    fn value(self, text: &str) -> Value {
        let json = || serde_json::from_str(text).ok();
        let value = match self {
            Cell::Text | Cell::Option { text: true } if !text.is_empty() => None,
            Cell::Option { .. } if text.is_empty() => Some(Value::Null),
            Cell::Json | Cell::Option { text: false } if is_json(text) => json(),
            Cell::Guess => json().filter(|value: &Value| value.is_number() || value.is_boolean()),
            Cell::Text | Cell::Json | Cell::Option { .. } => None,
        };
        value.unwrap_or_else(|| Value::from(text))
    }
}

impl Table {
    /// Opens a file, or standard input for `-`, and reads its header.
    pub fn open(path: &Path) -> Result<Table, Problem> {
        let (input, name) = open_input(path)?;
        Table::of(input, name)
    }

    fn of(input: File, name: String) -> Result<Table, Problem> {
        // Rows that are too short or too long are told one by one.
        let mut reader = ReaderBuilder::new().flexible(true).from_reader(input);
        let header = reader.headers().map_err(|e| unreadable(&name, e))?;
        let mut header: Vec<String> = header.iter().map(|name| name.trim().to_owned()).collect();
        if let Some(first) = header.first_mut() {
            *first = first.trim_start_matches('\u{feff}').to_owned();
        }
        if header.is_empty() {
            return Err(
                Problem::text(Code::TableUnfit, format!("{name} has no header"))
                    .hint("its first line names the columns, as the parameters of the function"),
            );
        }
        let guess = |name: &String| (name.clone(), Cell::Guess);
        Ok(Table {
            columns: Columns::Object(header.iter().map(guess).collect()),
            reader,
            name,
            header,
            numbers: Arc::default(),
        })
    }

    /// Fits the columns to a function's parameters. Without, they are those of a task.
    ///
    /// # Errors
    /// If a column is no parameter, or a parameter has no column.
    pub fn fit(&mut self, function: Option<&Function>) -> Result<(), Problem> {
        let Some(function) = function else {
            if let [_] = self.header.as_slice() {
                self.columns = Columns::Single(Cell::Guess);
            }
            return Ok(());
        };
        if let ([(_, ty)], [_]) = (function.params.as_slice(), self.header.as_slice()) {
            self.columns = Columns::Single(Cell::of(ty));
            return Ok(());
        }
        // One record: its fields are for the worker to check.
        if let [(_, ty)] = function.params.as_slice()
            && ty.starts_with("record ")
        {
            return Ok(());
        }
        let problem = |what: String| {
            Problem::text(Code::TableUnfit, format!("{}: {what}", self.name))
                .hint(format!("the function is {}", function.signature()))
        };
        let mut columns = Vec::new();
        for column in &self.header {
            let found = function
                .params
                .iter()
                .find(|(name, _)| same_name(name, column));
            let Some((name, ty)) = found else {
                return Err(problem(format!("the column `{column}` is no parameter")));
            };
            if columns.iter().any(|(other, _)| other == name) {
                return Err(problem(format!("there are two columns `{column}`")));
            }
            columns.push((name.clone(), Cell::of(ty)));
        }
        let lacks = |(name, ty): &&(String, String)| {
            !ty.starts_with("option<") && !columns.iter().any(|(other, _)| other == name)
        };
        if let Some((name, _)) = function.params.iter().find(lacks) {
            return Err(problem(format!("no column is the parameter `{name}`")));
        }
        self.columns = Columns::Object(columns);
        Ok(())
    }

    /// Passes on all rows, until no more are wanted.
    ///
    /// # Errors
    /// If the file cannot be read any further.
    pub fn feed(mut self, sink: &mut impl Sink) -> Result<(), Problem> {
        let mut row = ByteRecord::new();
        let (mut index, mut expected) = (0, 2);
        loop {
            let more = self.reader.read_byte_record(&mut row);
            if !more.map_err(|e| unreadable(&self.name, e))? {
                return Ok(());
            }
            // The reader says where it began to look: before empty lines, which are skipped.
            let began = row.position().map_or(expected, csv::Position::line);
            let within = row.as_slice().iter().filter(|b| **b == b'\n').count() as u64;
            let line = began.max(self.reader.position().line().saturating_sub(within + 1));
            if line != expected || index == 0 {
                self.numbers.jump(index, line);
            }
            (index, expected) = (index + 1, line + 1);
            let wanted = match self.item(&row) {
                Ok(item) => sink.push(Payload::Bytes(item.to_string().into_bytes())),
                Err(why) => sink.push_failed(why),
            };
            if !wanted {
                return Ok(());
            }
        }
    }

    fn item(&self, row: &ByteRecord) -> Result<Value, String> {
        if row.len() != self.header.len() {
            let (has, wants) = (row.len(), self.header.len());
            return Err(format!("the row has {has} cells, the header {wants}"));
        }
        let text = |at: usize| {
            str::from_utf8(row.get(at).unwrap_or_default())
                .map_err(|_| format!("the cell of `{}` is not UTF-8", self.header[at]))
        };
        match &self.columns {
            Columns::Single(cell) => Ok(cell.value(text(0)?)),
            Columns::Object(columns) => {
                let mut item = Map::new();
                for (at, (name, cell)) in columns.iter().enumerate() {
                    item.insert(name.clone(), cell.value(text(at)?));
                }
                Ok(Value::Object(item))
            }
        }
    }
}

fn unreadable(name: &str, error: impl std::error::Error + Send + Sync + 'static) -> Problem {
    Problem::doing(Code::InputUnreadable, format!("cannot read {name}"), error)
}

#[cfg(test)]
mod tests {
    use super::super::names::Names;
    use super::*;
    use crate::ipc::manifest::tests::sample;

    #[derive(Default)]
    struct Taken(Vec<String>);

    impl Sink for Taken {
        fn push(&mut self, item: Payload) -> bool {
            let Payload::Bytes(bytes) = item else {
                panic!("a file")
            };
            self.0.push(String::from_utf8(bytes).unwrap());
            true
        }
        fn push_failed(&mut self, message: String) -> bool {
            self.0.push(format!("!{message}"));
            true
        }
    }

    fn table(text: &[u8]) -> Table {
        let fd = crate::sys::memory::sealed_memfd("csv", &[text]).unwrap();
        Table::of(fd.into(), "t.csv".into()).unwrap()
    }

    fn function(params: &[(&str, &str)]) -> Function {
        let mut function = sample().functions.remove(0);
        function.params = params
            .iter()
            .map(|(name, ty)| ((*name).to_owned(), (*ty).to_owned()))
            .collect();
        function
    }

    fn items(text: &str, params: Option<&[(&str, &str)]>) -> Result<Vec<String>, String> {
        let mut table = table(text.as_bytes());
        let fitted = table.fit(params.map(function).as_ref());
        fitted.map_err(|problem| problem.message())?;
        let mut taken = Taken::default();
        table.feed(&mut taken).unwrap();
        Ok(taken.0)
    }

    #[test]
    fn cells_become_what_their_parameters_are() {
        let params = [
            ("name", "string"),
            ("max-n", "u32"),
            ("on", "bool"),
            ("note", "option<string>"),
            ("at", "option<f64>"),
            ("all", "list<u8>"),
        ];
        let text = "\u{feff}max_n, name,on,note,at,all\n7,\"0,7\",true,,,\"[1,2]\"\nx,,no,5,2.5,\n";
        assert_eq!(
            items(text, Some(&params)).unwrap(),
            [
                r#"{"all":[1,2],"at":null,"max-n":7,"name":"0,7","note":null,"on":true}"#,
                r#"{"all":"","at":2.5,"max-n":"x","name":"","note":"5","on":"no"}"#,
            ]
        );
        assert_eq!(
            items("x\n5\n\"a b\"\n", Some(&[("text", "string")])).unwrap(),
            [r#""5""#, r#""a b""#]
        );
    }

    #[test]
    fn of_a_task_numbers_and_booleans_are_guessed() {
        assert_eq!(
            items("a,b\n1,x\ntrue,\"[1]\"\n007,null\n", None).unwrap(),
            [
                r#"{"a":1,"b":"x"}"#,
                r#"{"a":true,"b":"[1]"}"#,
                r#"{"a":"007","b":"null"}"#
            ]
        );
        assert_eq!(items("a\n1\nx\n", None).unwrap(), ["1", r#""x""#]);
    }

    #[test]
    fn columns_must_be_parameters() {
        let two = [("a", "u32"), ("b", "option<u32>")];
        assert_eq!(items("a\n1\n", Some(&two)).unwrap(), [r#"{"a":1}"#]);
        for (text, why) in [
            ("a,c\n1,2\n", "t.csv: the column `c` is no parameter"),
            ("b\n1\n", "t.csv: no column is the parameter `a`"),
            ("a,a\n1,2\n", "t.csv: there are two columns `a`"),
        ] {
            assert_eq!(items(text, Some(&two)).unwrap_err(), why);
        }
    }

    #[test]
    fn a_bad_row_fails_alone_and_knows_its_line() {
        let mut table = table(b"a,b\n1,2\n\n3\n\"x\ny\",\xff\n5,6\n");
        table.fit(None).unwrap();
        let numbers = table.numbers.clone();
        let mut taken = Taken::default();
        table.feed(&mut taken).unwrap();
        assert_eq!(
            taken.0,
            [
                r#"{"a":1,"b":2}"#,
                "!the row has 1 cells, the header 2",
                "!the cell of `b` is not UTF-8",
                r#"{"a":5,"b":6}"#
            ]
        );
        let names = Names::Lines(numbers);
        let lines: Vec<_> = (0..4).map(|index| names.of(index).unwrap()).collect();
        assert_eq!(lines, ["line 2", "line 4", "line 5", "line 7"]);
    }
}
