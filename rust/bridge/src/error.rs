//! One error for everything that crosses the ABI, and how DataFusion's, delta-rs's and object_store's become it.

use std::error::Error as StdError;

use datafusion::common::{Column, DataFusionError, SchemaError};
use deltalake_core::DeltaTableError;

/// The values of WeirCode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum Code {
    Invalid = 1,
    NotFound = 2,
    AlreadyExists = 3,
    Conflict = 4,
    Unavailable = 5,
    Denied = 6,
    Exhausted = 7,
    Internal = 8,
}

#[derive(Debug)]
pub struct BridgeError {
    pub code: Code,
    pub message: String,
    pub line: i32,
    pub column: i32,
    pub view: String,
}

pub type Outcome<T> = Result<T, BridgeError>;

impl BridgeError {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        BridgeError {
            code,
            message: message.into(),
            line: 0,
            column: 0,
            view: String::new(),
        }
    }
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::Invalid, message)
    }
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Code::Internal, message)
    }
}

/// A failure while planning `sql`: short words, and the place within it.
pub fn planning_error(error: DataFusionError, sql: &str) -> BridgeError {
    let mut span = None;
    let cause = innermost(&error, &mut span);
    let (message, token) = words(cause);
    let mut failure = BridgeError::invalid(message);
    if let Some((line, column)) = position_in(&failure.message) {
        failure.message = cut_position(&failure.message);
        (failure.line, failure.column) = (line, column);
    } else if let Some((line, column)) = span {
        (failure.line, failure.column) = (line, column);
    } else if failure.message.contains("found: EOF") {
        (failure.line, failure.column) = end_of(sql);
    } else if let Some((line, column)) = token.and_then(|t| find_identifier(sql, &t)) {
        (failure.line, failure.column) = (line, column);
    }
    failure
}

fn innermost<'a>(error: &'a DataFusionError, span: &mut Option<(i32, i32)>) -> &'a DataFusionError {
    match error {
        DataFusionError::Diagnostic(diagnostic, inner) => {
            if let Some(found) = &diagnostic.span {
                if found.start.line > 0 {
                    *span = Some((found.start.line as i32, found.start.column as i32));
                }
            }
            innermost(inner, span)
        }
        DataFusionError::Context(_, inner) => innermost(inner, span),
        DataFusionError::Shared(inner) => innermost(inner, span),
        DataFusionError::Collection(errors) if !errors.is_empty() => innermost(&errors[0], span),
        other => other,
    }
}

const NO_TABLE: &str = "there is no table or view '";

/// Words without DataFusion's prefixes, and the identifier that they are about.
fn words(error: &DataFusionError) -> (String, Option<String>) {
    match error {
        DataFusionError::SQL(parser, _) => {
            let text = parser.to_string();
            let text = text.trim_start_matches("sql parser error: ");
            let text = text
                .strip_prefix("ParserError(\"")
                .and_then(|t| t.strip_suffix("\")"))
                .unwrap_or(text);
            (lower_first(text), None)
        }
        DataFusionError::SchemaError(schema, _) => match schema.as_ref() {
            SchemaError::FieldNotFound {
                field,
                valid_fields,
            } => {
                let mut message = format!("there is no column '{}'", field.flat_name());
                match near_column(&field.name, valid_fields) {
                    Some(near) => message += &format!(". Did you mean '{near}'?"),
                    None if !valid_fields.is_empty() => {
                        let names: Vec<_> = valid_fields
                            .iter()
                            .take(8)
                            .map(|c| c.name.as_str())
                            .collect();
                        let more = if valid_fields.len() > 8 { ", …" } else { "" };
                        message += &format!("; there are: {}{more}", names.join(", "));
                    }
                    None => {}
                }
                (message, Some(field.name.clone()))
            }
            SchemaError::AmbiguousReference { field } => {
                let message = format!(
                    "'{}' is in more than one table: write table.{}",
                    field.name, field.name
                );
                (message, Some(field.name.clone()))
            }
            SchemaError::DuplicateQualifiedField { name, .. }
            | SchemaError::DuplicateUnqualifiedField { name } => (
                format!("two columns are called '{name}': give one of them another name with AS"),
                Some(name.clone()),
            ),
        },
        DataFusionError::Plan(text) | DataFusionError::Execution(text) => tidy(text),
        DataFusionError::NotImplemented(text) => {
            let (text, token) = tidy(text);
            (format!("not supported: {text}"), token)
        }
        other => tidy(&other.strip_backtrace()),
    }
}

fn tidy(text: &str) -> (String, Option<String>) {
    let text = text.split("\n\nbacktrace").next().unwrap_or(text).trim();
    let text = text.strip_prefix("Error during planning: ").unwrap_or(text);
    if let Some(name) = between(text, "Invalid function '", "'") {
        let near = between(text, "Did you mean '", "'")
            .map(|n| format!(". Did you mean '{n}'?"))
            .unwrap_or_default();
        return (format!("there is no function '{name}'{near}"), Some(name));
    }
    if let Some(name) = between(text, "table '", "' not found") {
        let name = name.rsplit('.').next().unwrap_or(&name).to_string();
        return (format!("{NO_TABLE}{name}'"), Some(name));
    }
    if let Some(name) = between(
        text,
        "Projections require unique expression names but the expression \"",
        "\"",
    ) {
        let name = name.rsplit(" AS ").next().unwrap_or(&name);
        let name = name.rsplit('.').next().unwrap_or(name).to_string();
        return (
            format!("two columns are called '{name}': give one of them another name with AS"),
            Some(name),
        );
    }
    (lower_first(text), None)
}

fn between(text: &str, start: &str, end: &str) -> Option<String> {
    let from = text.find(start)? + start.len();
    let to = text[from..].find(end)? + from;
    Some(text[from..to].to_string())
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    match (letters.next(), letters.next()) {
        (Some(first), Some(second)) if second.is_lowercase() => {
            first.to_lowercase().to_string() + &text[first.len_utf8()..]
        }
        _ => text.to_string(),
    }
}

/// " at Line: 3, Column: 14" as sqlparser writes it.
fn position_in(text: &str) -> Option<(i32, i32)> {
    let at = text.rfind("Line: ")?;
    let mut numbers = text[at..]
        .split(|c: char| !c.is_ascii_digit())
        .filter(|n| !n.is_empty());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn end_of(sql: &str) -> (i32, i32) {
    let last = sql.rsplit('\n').next().unwrap_or_default();
    (
        sql.matches('\n').count() as i32 + 1,
        last.chars().count() as i32 + 1,
    )
}

fn cut_position(text: &str) -> String {
    let at = text.rfind("Line: ").unwrap_or(text.len());
    text[..at]
        .trim_end()
        .trim_end_matches("at")
        .trim_end()
        .to_string()
}

/// Line and column, from 1, of `identifier` as a whole word outside string literals and comments.
pub fn find_identifier(sql: &str, identifier: &str) -> Option<(i32, i32)> {
    let letters: Vec<char> = sql.chars().collect();
    let wanted: Vec<char> = identifier.chars().flat_map(char::to_lowercase).collect();
    if wanted.is_empty() {
        return None;
    }
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let (mut line, mut column, mut index) = (1, 1, 0);
    let mut in_string = false;
    let mut in_comment = false;
    while index < letters.len() {
        let letter = letters[index];
        match letter {
            '\n' => in_comment = false,
            '\'' if !in_comment => in_string = !in_string,
            '-' if !in_string && letters.get(index + 1) == Some(&'-') => in_comment = true,
            _ => {}
        }
        let starts = index == 0 || !is_word(letters[index - 1]);
        if !in_string && !in_comment && starts && index + wanted.len() <= letters.len() {
            let same = (0..wanted.len()).all(|k| {
                letters[index + k]
                    .to_lowercase()
                    .eq(wanted[k].to_lowercase())
            });
            let ends = letters
                .get(index + wanted.len())
                .is_none_or(|c| !is_word(*c));
            if same && ends {
                return Some((line, column));
            }
        }
        (line, column) = if letter == '\n' {
            (line + 1, 1)
        } else {
            (line, column + 1)
        };
        index += 1;
    }
    None
}

fn near_column(name: &str, columns: &[Column]) -> Option<String> {
    near_name(name, columns.iter().map(|c| c.name.as_str()))
}

fn near_name<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<String> {
    let lower = name.to_lowercase();
    candidates
        .map(|c| (distance(&lower, &c.to_lowercase()), c))
        .filter(|(d, _)| *d <= (name.len() / 3).max(1))
        .min()
        .map(|(_, near)| near.to_string())
}

/// The same failure; an unknown table is told the near one of `known`, or all of them.
pub fn with_known_tables(mut failure: BridgeError, known: &[&str]) -> BridgeError {
    let Some(name) = failure
        .message
        .strip_prefix(NO_TABLE)
        .and_then(|rest| rest.strip_suffix('\''))
    else {
        return failure;
    };
    match near_name(name, known.iter().copied()) {
        Some(near) => failure.message += &format!(". Did you mean '{near}'?"),
        None if !known.is_empty() => {
            failure.message += &format!("; there are: {}", known.join(", "))
        }
        None => {}
    }
    failure
}

/// Levenshtein's edit distance.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, l) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, r) in right.iter().enumerate() {
            let next = (diagonal + usize::from(l != *r))
                .min(row[j] + 1)
                .min(row[j + 1] + 1);
            diagonal = std::mem::replace(&mut row[j + 1], next);
        }
    }
    row[right.len()]
}

/// A failure while evaluating rows: their data or the expression is at fault.
pub fn eval_error(error: DataFusionError) -> BridgeError {
    let mut span = None;
    match innermost(&error, &mut span) {
        // Functions call a value that they cannot take an internal error too: it must not stop a pipeline.
        DataFusionError::Internal(text) => BridgeError::invalid(text.clone()),
        DataFusionError::ResourcesExhausted(text) => {
            BridgeError::new(Code::Exhausted, text.clone())
        }
        DataFusionError::ArrowError(arrow, _) => BridgeError::invalid(arrow.to_string()),
        other => BridgeError::invalid(words(other).0),
    }
}

/// A failure of storage or of the Delta log, by what lies at the bottom of it.
pub fn storage_error(error: DeltaTableError, what: &str) -> BridgeError {
    let code = match &error {
        DeltaTableError::NotATable(_) | DeltaTableError::InvalidTableLocation(_) => Code::NotFound,
        DeltaTableError::VersionAlreadyExists(_) => Code::Conflict,
        DeltaTableError::SchemaMismatch { .. }
        | DeltaTableError::MetadataError(_)
        | DeltaTableError::PartitionError { .. }
        | DeltaTableError::InvalidData { .. }
        | DeltaTableError::CommitValidation { .. } => Code::Invalid,
        other => storage_code(other),
    };
    BridgeError::new(code, format!("{what}: {}", chain(&error)))
}

pub fn object_error(error: object_store::Error, what: &str) -> BridgeError {
    BridgeError::new(storage_code(&error), format!("{what}: {}", chain(&error)))
}

pub fn storage_code(error: &(dyn StdError + 'static)) -> Code {
    use std::io::ErrorKind;
    let mut next = Some(error);
    while let Some(current) = next {
        if let Some(io) = current.downcast_ref::<std::io::Error>() {
            match io.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => return Code::Exhausted,
                ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => return Code::Denied,
                ErrorKind::NotFound => return Code::NotFound,
                _ => {}
            }
        }
        if let Some(object) = current.downcast_ref::<object_store::Error>() {
            match object {
                object_store::Error::NotFound { .. } => return Code::NotFound,
                object_store::Error::AlreadyExists { .. } => return Code::AlreadyExists,
                object_store::Error::PermissionDenied { .. }
                | object_store::Error::Unauthenticated { .. } => return Code::Denied,
                object_store::Error::InvalidPath { .. }
                | object_store::Error::UnknownConfigurationKey { .. } => return Code::Invalid,
                _ => {}
            }
        }
        next = current.source();
    }
    let text = error.to_string();
    const DENIED: [&str; 6] = [
        "403 Forbidden",
        "401 Unauthorized",
        "AccessDenied",
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "Permission denied",
    ];
    if DENIED.iter().any(|words| text.contains(words)) {
        Code::Denied
    } else if text.contains("No space left") {
        Code::Exhausted
    } else if text.contains("Read-only file system") {
        Code::Denied
    } else {
        Code::Unavailable
    }
}

/// The error and its causes on one line, each said once.
fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(current) = next {
        let words = current.to_string();
        if !text.contains(&words) {
            text += ": ";
            text += &words;
        }
        next = current.source();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
