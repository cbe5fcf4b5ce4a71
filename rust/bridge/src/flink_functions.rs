//! Scalar functions that Flink has and DataFusion has not, or has by another meaning.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{make_array, Array, ArrayRef, AsArray, Int64Array, StringArray, StringBuilder};
use arrow::compute::{cast, date_part, DatePart};
use arrow::datatypes::{DataType, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use chrono::{DateTime, Datelike, NaiveDateTime, Timelike};
use datafusion::common::{exec_datafusion_err, exec_err, plan_err, Result};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use regex::{CaptureLocations, Regex};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    RegexpExtract,
    SplitIndex,
    DateFormat,
    /// HOUR(ts) and its like.
    Part,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Function {
    name: &'static str,
    kind: Kind,
    signature: Signature,
}

pub fn flink_functions() -> Vec<Arc<ScalarUDF>> {
    let texts = [
        ("regexp_extract", Kind::RegexpExtract),
        ("split_index", Kind::SplitIndex),
        ("date_format", Kind::DateFormat),
    ];
    let parts = [
        "year",
        "quarter",
        "month",
        "week",
        "dayofyear",
        "dayofmonth",
        "dayofweek",
        "hour",
        "minute",
        "second",
    ];
    texts
        .into_iter()
        .chain(parts.into_iter().map(|name| (name, Kind::Part)))
        .map(|(name, kind)| {
            Arc::new(ScalarUDF::from(Function {
                name,
                kind,
                signature: Signature::user_defined(Volatility::Immutable),
            }))
        })
        .collect()
}

impl ScalarUDFImpl for Function {
    fn name(&self) -> &str {
        self.name
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let form = match self.kind {
            Kind::RegexpExtract => "REGEXP_EXTRACT(text, regular expression [, group])",
            Kind::SplitIndex => "SPLIT_INDEX(text, separator, index)",
            Kind::DateFormat => "DATE_FORMAT(timestamp, 'yyyy-MM-dd HH:mm:ss')",
            Kind::Part => "a function of a TIMESTAMP or DATE",
        };
        let time = |kind: &DataType| match kind {
            DataType::Timestamp(_, zone) => {
                Some(DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))
            }
            DataType::Date32 | DataType::Utf8 | DataType::Null => {
                Some(DataType::Timestamp(TimeUnit::Microsecond, None))
            }
            _ => None,
        };
        let coerced = match (self.kind, given) {
            (Kind::RegexpExtract, [_, _]) => Some(vec![DataType::Utf8, DataType::Utf8]),
            (Kind::RegexpExtract | Kind::SplitIndex, [_, _, _]) => {
                Some(vec![DataType::Utf8, DataType::Utf8, DataType::Int64])
            }
            (Kind::DateFormat, [at, _]) => time(at).map(|at| vec![at, DataType::Utf8]),
            (Kind::Part, [at]) => time(at).map(|at| vec![at]),
            _ => None,
        };
        match coerced {
            Some(coerced) => Ok(coerced),
            None => plan_err!("{} is {form}", self.name.to_uppercase()),
        }
    }
    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.kind {
            Kind::Part => DataType::Int64,
            _ => DataType::Utf8,
        })
    }
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let result: ArrayRef = match self.kind {
            Kind::RegexpExtract => Arc::new(regexp_extract(&arrays)?),
            Kind::SplitIndex => Arc::new(split_index(&arrays)),
            Kind::DateFormat => Arc::new(date_format(&arrays)?),
            Kind::Part => Arc::new(part(self.name, &arrays[0])?),
        };
        Ok(ColumnarValue::Array(result))
    }
}

/// The group of the first match; NULL without one.
fn regexp_extract(arrays: &[ArrayRef]) -> Result<StringArray> {
    let (texts, patterns) = (arrays[0].as_string::<i32>(), arrays[1].as_string::<i32>());
    let groups = arrays.get(2).map(|g| g.as_primitive::<Int64Type>());
    // Nearly always one pattern for all rows.
    let mut compiled: Option<(&str, Regex, CaptureLocations)> = None;
    let mut result = StringBuilder::new();
    for row in 0..texts.len() {
        if texts.is_null(row)
            || patterns.is_null(row)
            || groups.is_some_and(|groups| groups.is_null(row))
        {
            result.append_null();
            continue;
        }
        let pattern = patterns.value(row);
        let (_, regex, places) = match &mut compiled {
            Some(last) if last.0 == pattern => last,
            other => {
                let regex = Regex::new(pattern).map_err(|e| {
                    exec_datafusion_err!(
                        "REGEXP_EXTRACT: '{pattern}' is no regular expression: {e}"
                    )
                })?;
                let places = regex.capture_locations();
                other.insert((pattern, regex, places))
            }
        };
        let text = texts.value(row);
        let group = groups.map_or(0, |groups| groups.value(row));
        let found = usize::try_from(group).ok().and_then(|group| {
            regex.captures_read(places, text)?;
            places.get(group).map(|(begin, end)| &text[begin..end])
        });
        result.append_option(found);
    }
    Ok(result.finish())
}

/// The part with that number from 0, empty parts counted; NULL beyond the last.
fn split_index(arrays: &[ArrayRef]) -> StringArray {
    let (texts, separators) = (arrays[0].as_string::<i32>(), arrays[1].as_string::<i32>());
    let numbers = arrays[2].as_primitive::<Int64Type>();
    let mut result = StringBuilder::new();
    for row in 0..texts.len() {
        if texts.is_null(row) || separators.is_null(row) || numbers.is_null(row) {
            result.append_null();
            continue;
        }
        let (text, separator) = (texts.value(row), separators.value(row));
        let part = usize::try_from(numbers.value(row)).ok().and_then(|number| {
            match (text.is_empty(), separator.is_empty()) {
                (true, _) => None,
                (_, true) => text.split_whitespace().nth(number),
                _ if separator.len() == 1 => nth_part(text, separator.as_bytes()[0], number),
                _ => text.split(separator).nth(number),
            }
        });
        result.append_option(part);
    }
    result.finish()
}

/// Between separators of one ASCII character.
fn nth_part(text: &str, separator: u8, number: usize) -> Option<&str> {
    let mut begin = 0;
    let mut left = number;
    for (at, byte) in text.bytes().enumerate() {
        if byte != separator {
            continue;
        }
        if left == 0 {
            return Some(&text[begin..at]);
        }
        left -= 1;
        begin = at + 1;
    }
    (left == 0).then(|| &text[begin..])
}

fn part(name: &str, times: &ArrayRef) -> Result<Int64Array> {
    let (part, shift) = match name {
        "year" => (DatePart::Year, 0),
        "quarter" => (DatePart::Quarter, 0),
        "month" => (DatePart::Month, 0),
        "week" => (DatePart::Week, 0),
        "dayofyear" => (DatePart::DayOfYear, 0),
        "dayofmonth" => (DatePart::Day, 0),
        // Sunday is 1.
        "dayofweek" => (DatePart::DayOfWeekSunday0, 1),
        "hour" => (DatePart::Hour, 0),
        "minute" => (DatePart::Minute, 0),
        _ => (DatePart::Second, 0),
    };
    let parts = date_part(utc_micros(times)?.as_ref(), part)?;
    let parts = parts.as_primitive::<Int32Type>();
    Ok(parts
        .iter()
        .map(|p| p.map(|p| i64::from(p) + shift))
        .collect())
}

/// UTC's clock in microseconds.
pub fn utc_micros(times: &ArrayRef) -> Result<ArrayRef> {
    let zoneless = match times.data_type() {
        // The same moment: only the zone's name goes.
        DataType::Timestamp(unit, Some(_)) => {
            let data = times.to_data().into_builder();
            make_array(data.data_type(DataType::Timestamp(*unit, None)).build()?)
        }
        _ => times.clone(),
    };
    Ok(cast(
        &zoneless,
        &DataType::Timestamp(TimeUnit::Microsecond, None),
    )?)
}

// ---- DATE_FORMAT, by the letters of Java's DateTimeFormatter

enum Piece {
    Literal(String),
    Letter(char, usize),
}

fn pieces(pattern: &str) -> Result<Vec<Piece>> {
    let letters: Vec<char> = pattern.chars().collect();
    let mut found = Vec::new();
    let mut index = 0;
    while index < letters.len() {
        let letter = letters[index];
        if letter == '\'' {
            let mut text = String::new();
            index += 1;
            loop {
                match (letters.get(index), letters.get(index + 1)) {
                    (Some('\''), Some('\'')) => {
                        text.push('\'');
                        index += 2;
                    }
                    (Some('\''), _) => break,
                    (Some(other), _) => {
                        text.push(*other);
                        index += 1;
                    }
                    (None, _) => {
                        return exec_err!("DATE_FORMAT: a quote of '{pattern}' is not closed")
                    }
                }
            }
            index += 1;
            // '' outside a quotation is a quote.
            found.push(Piece::Literal(if text.is_empty() {
                "'".into()
            } else {
                text
            }));
        } else if letter.is_ascii_alphabetic() {
            let count = letters[index..]
                .iter()
                .take_while(|l| **l == letter)
                .count();
            if !"yuMLdDHhKkmsSaE".contains(letter) {
                return exec_err!("DATE_FORMAT: the pattern letter '{letter}' is not supported");
            }
            found.push(Piece::Letter(letter, count));
            index += count;
        } else {
            found.push(Piece::Literal(letter.into()));
            index += 1;
        }
    }
    Ok(found)
}

fn write_piece(text: &mut String, at: &NaiveDateTime, letter: char, width: usize) {
    let name = |full: &str| match width {
        4 => full.to_string(),
        _ => full[..3].to_string(),
    };
    let number = match letter {
        'y' | 'u' if width == 2 => i64::from(at.year().rem_euclid(100)),
        'y' | 'u' => i64::from(at.year()),
        'M' | 'L' if width >= 3 => {
            *text += &name(MONTHS[at.month0() as usize]);
            return;
        }
        'E' => {
            *text += &name(DAYS[at.weekday().num_days_from_monday() as usize]);
            return;
        }
        'a' => {
            *text += if at.hour() < 12 { "AM" } else { "PM" };
            return;
        }
        'S' => {
            let digits = format!("{:09}", at.nanosecond() % 1_000_000_000);
            *text += &digits[..width.min(9)];
            return;
        }
        'M' | 'L' => i64::from(at.month()),
        'd' => i64::from(at.day()),
        'D' => i64::from(at.ordinal()),
        'H' => i64::from(at.hour()),
        'h' => i64::from((at.hour() + 11) % 12 + 1),
        'K' => i64::from(at.hour() % 12),
        'k' => i64::from((at.hour() + 23) % 24 + 1),
        'm' => i64::from(at.minute()),
        _ => i64::from(at.second()),
    };
    let _ = write!(text, "{number:0width$}");
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

fn date_format(arrays: &[ArrayRef]) -> Result<StringArray> {
    let times = utc_micros(&arrays[0])?;
    let times = times.as_primitive::<TimestampMicrosecondType>();
    let patterns = arrays[1].as_string::<i32>();
    let mut known: HashMap<&str, Vec<Piece>> = HashMap::new();
    let mut result = StringBuilder::new();
    let mut text = String::new();
    for row in 0..times.len() {
        if times.is_null(row) || patterns.is_null(row) {
            result.append_null();
            continue;
        }
        let pattern = patterns.value(row);
        if !known.contains_key(pattern) {
            known.insert(pattern, pieces(pattern)?);
        }
        let Some(at) = DateTime::from_timestamp_micros(times.value(row)) else {
            return exec_err!("DATE_FORMAT: the time is out of range");
        };
        let at = at.naive_utc();
        text.clear();
        for piece in &known[pattern] {
            match piece {
                Piece::Literal(literal) => text += literal,
                Piece::Letter(letter, width) => write_piece(&mut text, &at, *letter, *width),
            }
        }
        result.append_value(&text);
    }
    Ok(result.finish())
}
