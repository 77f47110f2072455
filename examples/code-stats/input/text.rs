fn r#match(quote: char) -> String {
    let raw = r#"a "quoted" text

that has three lines"#;
    if quote == '\'' || quote == '"' { raw.to_owned() } else { String::new() }
}

fn main() {
    println!("{}", r#match('"'));
}
