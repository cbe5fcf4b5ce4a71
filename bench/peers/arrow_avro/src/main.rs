//! arrow-avro's Decoder over messages in Confluent's framing, in memory: the peer of bench_avro_decode.
//!
//! bench-arrow-avro DIR flat|nested [RUNS]

use std::time::Instant;

use arrow::array::*;
use arrow::datatypes::*;
use arrow_avro::reader::{Decoder, ReaderBuilder};
use arrow_avro::schema::{AvroSchema, Fingerprint, FingerprintAlgorithm, SchemaStore};

const ROWS_PER_BATCH: usize = 8192;
const SCHEMA_ID: u32 = 7;

#[derive(Default)]
struct Sums {
    integers: i128,
    instants: i128,
    decimals: i128,
    text_bytes: u64,
    text_hash: u64,
    trues: u64,
    elements: u64,
    nulls: u64,
    doubles: f64,
}

fn total<T: ArrowPrimitiveType>(array: &dyn Array) -> i128
where
    T::Native: Into<i128>,
{
    let typed = array.as_primitive::<T>();
    typed.iter().flatten().map(Into::<i128>::into).sum()
}

fn add(array: &dyn Array, sums: &mut Sums) {
    sums.nulls += array.null_count() as u64;
    match array.data_type() {
        DataType::Int64 => sums.integers += total::<Int64Type>(array),
        DataType::Int32 => sums.integers += total::<Int32Type>(array),
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            sums.instants += total::<TimestampMillisecondType>(array)
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            sums.instants += total::<TimestampMicrosecondType>(array)
        }
        DataType::Decimal128(..) => sums.decimals += total::<Decimal128Type>(array),
        DataType::Float64 => {
            sums.doubles += array
                .as_primitive::<Float64Type>()
                .iter()
                .flatten()
                .sum::<f64>()
        }
        DataType::Boolean => sums.trues += array.as_boolean().true_count() as u64,
        DataType::Utf8 => {
            let text = array.as_string::<i32>();
            for (i, value) in text.iter().enumerate() {
                let bytes = value.unwrap_or("").as_bytes();
                sums.text_bytes += bytes.len() as u64;
                for (k, byte) in bytes.iter().enumerate() {
                    let weight = (k + 1 + i % 1000) as u64;
                    sums.text_hash = sums.text_hash.wrapping_add(u64::from(*byte) * weight);
                }
            }
        }
        DataType::List(_) => {
            let values = array.as_list::<i32>().values();
            sums.elements += values.len() as u64;
            add(values, sums);
        }
        DataType::Map(..) => {
            let entries = array.as_map().entries();
            sums.elements += entries.len() as u64;
            add(entries, sums);
        }
        DataType::Struct(_) => {
            for column in array.as_struct().columns() {
                add(column, sums);
            }
        }
        other => panic!("no sum for {other}"),
    }
}

fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/schedstat").expect("schedstat");
    let nanoseconds: f64 = stat.split(' ').next().unwrap().parse().unwrap();
    nanoseconds / 1e9
}

fn decoder_of(schema: &str) -> Decoder {
    let mut store = SchemaStore::new_with_type(FingerprintAlgorithm::Id);
    store
        .set(
            Fingerprint::Id(SCHEMA_ID),
            AvroSchema::new(schema.to_string()),
        )
        .expect("schema");
    ReaderBuilder::new()
        .with_writer_schema_store(store)
        .with_active_fingerprint(Fingerprint::Id(SCHEMA_ID))
        .with_batch_size(ROWS_PER_BATCH)
        .build_decoder()
        .expect("decoder")
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let (folder, shape) = (&arguments[1], &arguments[2]);
    let runs: usize = arguments.get(3).map_or(7, |n| n.parse().unwrap());
    let schema = std::fs::read_to_string(format!("{folder}/{shape}.avsc")).expect("schema");
    let frames = std::fs::read(format!("{folder}/{shape}.frames")).expect("frames");
    // The decoder takes messages that follow each other: the lengths go, as Weir's batches have them aside.
    let mut bytes = Vec::with_capacity(frames.len());
    let mut rest = frames.as_slice();
    while !rest.is_empty() {
        let size = u32::from_le_bytes(rest[..4].try_into().unwrap()) as usize;
        bytes.extend_from_slice(&rest[4..4 + size]);
        rest = &rest[4 + size..];
    }
    let mut decoder = decoder_of(&schema);
    let mut decode_all = |sums: Option<&mut Sums>| -> usize {
        let (mut at, mut rows) = (0, 0);
        let mut sums = sums;
        while at < bytes.len() {
            let read = decoder.decode(&bytes[at..]).expect("decode");
            at += read;
            let batch = decoder.flush().expect("flush").expect("batch");
            assert!(read > 0 || batch.num_rows() > 0);
            rows += batch.num_rows();
            if let Some(sums) = sums.as_deref_mut() {
                for column in batch.columns() {
                    add(column, sums);
                }
            }
        }
        rows
    };
    let mut cpu = Vec::new();
    let begin = Instant::now();
    for _ in 0..runs {
        let before = cpu_seconds();
        decode_all(None);
        cpu.push(cpu_seconds() - before);
    }
    let wall = begin.elapsed().as_secs_f64();
    cpu.sort_by(f64::total_cmp);
    let mut sums = Sums::default();
    let rows = decode_all(Some(&mut sums));
    let gigabytes = bytes.len() as f64 / 1e9;
    println!(
        "{}",
        serde_json::json!({
            "engine": "arrow-avro", "shape": shape, "bytes": bytes.len(), "rows": rows, "errors": 0,
            "cpu_s_best": cpu[0], "cpu_s_median": cpu[cpu.len() / 2], "wall_s": wall,
            "gb_s_best": gigabytes / cpu[0], "gb_s_median": gigabytes / cpu[cpu.len() / 2],
            "sums": {"integers": sums.integers as i64, "instants": sums.instants as i64,
                     "decimals": sums.decimals as i64, "text_bytes": sums.text_bytes,
                     "text_hash": sums.text_hash, "trues": sums.trues, "elements": sums.elements,
                     "nulls": sums.nulls, "doubles": sums.doubles},
        })
    );
}
