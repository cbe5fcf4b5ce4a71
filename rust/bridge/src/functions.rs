//! now() and its relatives: DataFusion folds them into literals at planning; here they are read per evaluation.

use std::cell::Cell;
use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};

thread_local! {
    /// An evaluation runs on one thread from start to end.
    static NOW_US: Cell<i64> = const { Cell::new(0) };
}

pub fn set_now_us(now_us: i64) {
    NOW_US.set(now_us);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Instant,
    /// TIMESTAMP_LTZ(3), as Flink's PROCTIME().
    Processing,
    Local,
    Date,
    Time,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Clock {
    name: &'static str,
    aliases: Vec<String>,
    kind: Kind,
    signature: Signature,
}

impl ScalarUDFImpl for Clock {
    fn name(&self) -> &str {
        self.name
    }
    fn aliases(&self) -> &[String] {
        &self.aliases
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.kind {
            Kind::Instant => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Kind::Processing => DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
            Kind::Local => DataType::Timestamp(TimeUnit::Microsecond, None),
            Kind::Date => DataType::Date32,
            Kind::Time => DataType::Time64(TimeUnit::Microsecond),
        })
    }
    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        const DAY_US: i64 = 86_400_000_000;
        let now = NOW_US.get();
        Ok(ColumnarValue::Scalar(match self.kind {
            Kind::Instant => ScalarValue::TimestampMicrosecond(Some(now), Some("UTC".into())),
            Kind::Processing => {
                ScalarValue::TimestampMillisecond(Some(now.div_euclid(1000)), Some("UTC".into()))
            }
            Kind::Local => ScalarValue::TimestampMicrosecond(Some(now), None),
            Kind::Date => ScalarValue::Date32(Some(now.div_euclid(DAY_US) as i32)),
            Kind::Time => ScalarValue::Time64Microsecond(Some(now.rem_euclid(DAY_US))),
        }))
    }
}

/// CURRENT_TIMESTAMP(3) has a precision, which changes nothing here.
pub fn clock_functions() -> Vec<Arc<ScalarUDF>> {
    let table: [(&'static str, &[&str], Kind); 6] = [
        ("proctime", &[], Kind::Processing),
        ("now", &["current_timestamp"], Kind::Instant),
        ("localtimestamp", &[], Kind::Local),
        ("current_date", &["today"], Kind::Date),
        ("current_time", &[], Kind::Time),
        ("localtime", &[], Kind::Time),
    ];
    let signature = || {
        Signature::one_of(
            vec![
                TypeSignature::Nullary,
                TypeSignature::Exact(vec![DataType::Int64]),
            ],
            Volatility::Volatile,
        )
    };
    table
        .into_iter()
        .map(|(name, aliases, kind)| {
            let aliases = aliases.iter().map(|a| a.to_string()).collect();
            Arc::new(ScalarUDF::from(Clock {
                name,
                aliases,
                kind,
                signature: signature(),
            }))
        })
        .collect()
}
