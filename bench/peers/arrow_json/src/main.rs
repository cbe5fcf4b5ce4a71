//! arrow-json (DataFusion's reader) over an NDJSON file in memory: the peer of bench_json_decode.
//!
//! bench-arrow-json FILE flat|nested|wide [RUNS]

use std::sync::Arc;
use std::time::Instant;

use arrow::array::*;
use arrow::datatypes::{DataType, Field, Fields, Schema, TimeUnit};
use arrow::json::ReaderBuilder;

const ROWS_PER_BATCH: usize = 8192;

fn row(fields: Vec<Field>) -> DataType {
    DataType::Struct(Fields::from(fields))
}

fn field(name: &str, data_type: DataType) -> Field {
    Field::new(name, data_type, true)
}

fn list(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new("item", item, true)))
}

fn schema_of(shape: &str) -> Schema {
    use DataType::{Boolean, Float64, Int32, Int64, Utf8};
    let timestamp = DataType::Timestamp(TimeUnit::Millisecond, None);
    match shape {
        "flat" => Schema::new(vec![
            field("auction", Int64),
            field("bidder", Int64),
            field("price", Int64),
            field("channel", Utf8),
            field("url", Utf8),
            field("reserve", Float64),
            field("is_open", Boolean),
            field("date_time", timestamp),
            field("extra", Utf8),
        ]),
        "nested" => {
            let geo = row(vec![field("lat", Float64), field("lon", Float64)]);
            let address = row(vec![
                field("street", Utf8),
                field("city", Utf8),
                field("zip", Utf8),
                field("geo", geo),
            ]);
            let item = row(vec![
                field("sku", Utf8),
                field("title", Utf8),
                field("quantity", Int32),
                field("price", Float64),
                field("in_stock", Boolean),
                field("tags", list(Utf8)),
            ]);
            Schema::new(vec![
                field("order_id", Int64),
                field("placed_at", timestamp),
                field(
                    "customer",
                    row(vec![
                        field("id", Int64),
                        field("name", Utf8),
                        field("email", Utf8),
                        field("address", address),
                    ]),
                ),
                field("items", list(item)),
                field("note", Utf8),
            ])
        }
        "wide" => Schema::new(
            (0..100)
                .map(|i| {
                    let data_type = match i % 10 {
                        0..=3 => Int64,
                        4 | 5 => Float64,
                        6 => Boolean,
                        7 => timestamp.clone(),
                        _ => Utf8,
                    };
                    field(&format!("c{i}"), data_type)
                })
                .collect::<Vec<_>>(),
        ),
        other => panic!("no shape {other}"),
    }
}

#[derive(Default)]
struct Sums {
    integers: i128,
    instants_ms: i128,
    text_bytes: u64,
    trues: u64,
    elements: u64,
    doubles: f64,
}

fn add(array: &dyn Array, sums: &mut Sums) {
    match array.data_type() {
        DataType::Int64 => {
            sums.integers += array
                .as_primitive::<arrow::datatypes::Int64Type>()
                .values()
                .iter()
                .map(|v| *v as i128)
                .sum::<i128>()
        }
        DataType::Int32 => {
            sums.integers += array
                .as_primitive::<arrow::datatypes::Int32Type>()
                .values()
                .iter()
                .map(|v| *v as i128)
                .sum::<i128>()
        }
        DataType::Timestamp(..) => {
            sums.instants_ms += array
                .as_primitive::<arrow::datatypes::TimestampMillisecondType>()
                .values()
                .iter()
                .map(|v| *v as i128)
                .sum::<i128>()
        }
        DataType::Float64 => {
            sums.doubles += array
                .as_primitive::<arrow::datatypes::Float64Type>()
                .values()
                .iter()
                .sum::<f64>()
        }
        DataType::Boolean => sums.trues += array.as_boolean().true_count() as u64,
        DataType::Utf8 => sums.text_bytes += array.as_string::<i32>().value_data().len() as u64,
        DataType::List(_) => {
            let values = array.as_list::<i32>().values();
            sums.elements += values.len() as u64;
            add(values, sums);
        }
        DataType::Struct(_) => {
            for column in array.as_struct().columns() {
                add(column, sums);
            }
        }
        other => panic!("no sum for {other}"),
    }
}

fn decode(schema: &Arc<Schema>, bytes: &[u8], mut each: impl FnMut(RecordBatch)) {
    let mut decoder = ReaderBuilder::new(schema.clone())
        .with_batch_size(ROWS_PER_BATCH)
        .build_decoder()
        .unwrap();
    let mut rest = bytes;
    loop {
        let used = decoder.decode(rest).unwrap();
        rest = &rest[used..];
        match decoder.flush().unwrap() {
            Some(batch) => each(batch),
            None => break,
        }
    }
}

/// User and system seconds of this process.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/schedstat").unwrap();
    stat.split_whitespace()
        .next()
        .unwrap()
        .parse::<f64>()
        .unwrap()
        / 1e9
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let bytes = std::fs::read(&arguments[1]).unwrap();
    let shape = &arguments[2];
    let runs: usize = arguments.get(3).map_or(5, |n| n.parse().unwrap());
    let schema = Arc::new(schema_of(shape));
    let (mut cpu, mut wall) = (vec![], vec![]);
    let mut rows = 0;
    for _ in 0..runs {
        rows = 0;
        let (cpu_begin, wall_begin) = (cpu_seconds(), Instant::now());
        decode(&schema, &bytes, |batch| rows += batch.num_rows());
        cpu.push(cpu_seconds() - cpu_begin);
        wall.push(wall_begin.elapsed().as_secs_f64());
    }
    let mut sums = Sums::default();
    decode(&schema, &bytes, |batch| {
        for column in batch.columns() {
            add(column, &mut sums);
        }
    });
    cpu.sort_by(f64::total_cmp);
    wall.sort_by(f64::total_cmp);
    let gigabytes = bytes.len() as f64 / 1e9;
    println!(
        "{}",
        serde_json::json!({
            "engine": "arrow-json", "shape": shape, "bytes": bytes.len(), "rows": rows, "errors": 0,
            "cpu_s_best": cpu[0], "cpu_s_median": cpu[cpu.len() / 2], "wall_s_best": wall[0],
            "gb_s_best": gigabytes / cpu[0], "gb_s_median": gigabytes / cpu[cpu.len() / 2],
            "sums": {"integers": sums.integers as i64, "instants_ms": sums.instants_ms as i64,
                     "text_bytes": sums.text_bytes, "trues": sums.trues, "elements": sums.elements,
                     "doubles": sums.doubles},
        })
    );
}
