//! Which types become which without losing anything, and what SQL calls them.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, TimeUnit};

/// Decimal digits that an integer type may have.
fn digits(integer: &DataType) -> Option<u8> {
    Some(match integer {
        DataType::Int8 | DataType::UInt8 => 3,
        DataType::Int16 | DataType::UInt16 => 5,
        DataType::Int32 | DataType::UInt32 => 10,
        DataType::Int64 => 19,
        DataType::UInt64 => 20,
        _ => return None,
    })
}

fn is_text(kind: &DataType) -> bool {
    matches!(
        kind,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
    )
}

fn is_bytes(kind: &DataType) -> bool {
    matches!(
        kind,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView
    )
}

fn unit_rank(unit: &TimeUnit) -> u8 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 1,
        TimeUnit::Microsecond => 2,
        TimeUnit::Nanosecond => 3,
    }
}

/// Every value of `from` is a value of `to`.
pub fn widens(from: &DataType, to: &DataType) -> bool {
    use DataType::*;
    if from == to || *from == Null {
        return true;
    }
    match (from, to) {
        (Dictionary(_, values), to) => widens(values, to),
        (from, to) if is_text(from) && is_text(to) => true,
        (from, to) if is_bytes(from) && is_bytes(to) => true,
        (FixedSizeBinary(_), to) if is_bytes(to) => true,
        (Int8, Int16 | Int32 | Int64) | (Int16, Int32 | Int64) | (Int32, Int64) => true,
        (UInt8, Int16 | Int32 | Int64 | UInt16 | UInt32 | UInt64) => true,
        (UInt16, Int32 | Int64 | UInt32 | UInt64) | (UInt32, Int64 | UInt64) => true,
        (Int8 | Int16 | UInt8 | UInt16, Float32 | Float64)
        | (Int32 | UInt32 | Float32, Float64) => true,
        (from, Decimal128(p, s) | Decimal256(p, s)) if digits(from).is_some() => {
            *s >= 0 && digits(from).is_some_and(|d| d as i16 <= *p as i16 - *s as i16)
        }
        (Decimal128(p, s), Decimal128(q, t) | Decimal256(q, t))
        | (Decimal256(p, s), Decimal256(q, t)) => {
            t >= s && (*q as i16 - *t as i16) >= (*p as i16 - *s as i16)
        }
        (Timestamp(from, zone), Timestamp(to, to_zone)) => {
            zone.is_some() == to_zone.is_some() && unit_rank(from) <= unit_rank(to)
        }
        (Date32, Timestamp(_, None)) => true,
        (Time32(from) | Time64(from), Time32(to) | Time64(to)) => unit_rank(from) <= unit_rank(to),
        (List(from) | LargeList(from) | FixedSizeList(from, _), List(to))
        | (List(from), LargeList(to)) => widens(from.data_type(), to.data_type()),
        (Map(from, _), Map(to, _)) => widens_entries(from, to),
        (Struct(from), Struct(to)) => {
            from.len() == to.len()
                && from
                    .iter()
                    .zip(to)
                    .all(|(f, t)| f.name() == t.name() && widens(f.data_type(), t.data_type()))
        }
        _ => false,
    }
}

/// The entries of two maps: whatever key and value are called.
fn widens_entries(from: &FieldRef, to: &FieldRef) -> bool {
    match (from.data_type(), to.data_type()) {
        (DataType::Struct(from), DataType::Struct(to)) => {
            from.len() == to.len()
                && from
                    .iter()
                    .zip(to)
                    .all(|(f, t)| widens(f.data_type(), t.data_type()))
        }
        _ => false,
    }
}

/// The same type without views, dictionaries and 64-bit offsets.
pub fn plain(kind: &DataType) -> DataType {
    use DataType::*;
    let inner = |field: &FieldRef| -> FieldRef {
        Arc::new(Field::new(
            field.name(),
            plain(field.data_type()),
            field.is_nullable(),
        ))
    };
    match kind {
        LargeUtf8 | Utf8View => Utf8,
        LargeBinary | BinaryView | FixedSizeBinary(_) => Binary,
        Dictionary(_, values) => plain(values),
        List(field)
        | LargeList(field)
        | ListView(field)
        | LargeListView(field)
        | FixedSizeList(field, _) => List(inner(field)),
        Map(field, sorted) => Map(inner(field), *sorted),
        Struct(fields) => Struct(fields.iter().map(inner).collect::<Fields>()),
        other => other.clone(),
    }
}

/// The type as a pipeline's tables know it: SQL has no unsigned integers (cardinality() and its like give some).
pub fn signed(kind: &DataType) -> DataType {
    match kind {
        DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 | DataType::UInt64 => DataType::Int64,
        other => plain(other),
    }
}

pub fn sql_type(kind: &DataType) -> String {
    use DataType::*;
    let precision = |unit: &TimeUnit| 3 * unit_rank(unit);
    match kind {
        Boolean => "BOOLEAN".into(),
        Int8 => "TINYINT".into(),
        Int16 => "SMALLINT".into(),
        Int32 => "INT".into(),
        Int64 => "BIGINT".into(),
        UInt8 => "TINYINT UNSIGNED".into(),
        UInt16 => "SMALLINT UNSIGNED".into(),
        UInt32 => "INT UNSIGNED".into(),
        UInt64 => "BIGINT UNSIGNED".into(),
        Float16 | Float32 => "FLOAT".into(),
        Float64 => "DOUBLE".into(),
        Utf8 | LargeUtf8 | Utf8View => "STRING".into(),
        Binary | LargeBinary | BinaryView | FixedSizeBinary(_) => "BYTES".into(),
        Decimal32(p, s) | Decimal64(p, s) | Decimal128(p, s) | Decimal256(p, s) => {
            format!("DECIMAL({p}, {s})")
        }
        Date32 | Date64 => "DATE".into(),
        Time32(_) | Time64(_) => "TIME".into(),
        Timestamp(unit, None) => format!("TIMESTAMP({})", precision(unit)),
        Timestamp(unit, Some(_)) => format!("TIMESTAMP_LTZ({})", precision(unit)),
        List(field)
        | LargeList(field)
        | ListView(field)
        | LargeListView(field)
        | FixedSizeList(field, _) => {
            format!("ARRAY<{}>", sql_type(field.data_type()))
        }
        Map(entries, _) => match entries.data_type() {
            Struct(fields) if fields.len() == 2 => {
                format!(
                    "MAP<{}, {}>",
                    sql_type(fields[0].data_type()),
                    sql_type(fields[1].data_type())
                )
            }
            _ => "MAP".into(),
        },
        Struct(fields) => {
            let parts: Vec<_> = fields
                .iter()
                .map(|f| format!("{} {}", f.name(), sql_type(f.data_type())))
                .collect();
            format!("ROW<{}>", parts.join(", "))
        }
        Dictionary(_, values) => sql_type(values),
        Null => "NULL".into(),
        other => other.to_string(),
    }
}
