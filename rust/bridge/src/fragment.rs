//! A compiled chain of steps, evaluated by hand batch by batch: no planning, no streams.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, NullArray, RecordBatch, RecordBatchOptions,
    TimestampMillisecondArray, UInt32Array,
};
use arrow::buffer::NullBuffer;
use arrow::compute::{cast_with_options, concat_batches, filter_record_batch, take, CastOptions};
use arrow::datatypes::{DataType, SchemaRef, TimestampMicrosecondType};
use datafusion::common::{exec_err, NullHandling, Result as DfResult, UnnestOptions};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::unnest::{ListUnnest, UnnestExec};
use datafusion::physical_plan::{ExecutionPlan, PhysicalExpr};
use futures::TryStreamExt;

use crate::error::{eval_error, BridgeError, Outcome};
use crate::fanout::FanOut;
use crate::flink_functions::utc_micros;
use crate::functions::set_now_us;
use crate::leaves::take_leaves_first;
use crate::window_tvf::WindowShape;

pub enum Step {
    Select(Vec<usize>),
    Filter(Arc<dyn PhysicalExpr>),
    Project(Vec<Arc<dyn PhysicalExpr>>, SchemaRef),
    UnnestList {
        column: usize,
        null_handling: NullHandling,
        schema: SchemaRef,
    },
    /// Several columns, several levels or structs: DataFusion's operator, set up for each batch.
    UnnestAny {
        lists: Vec<(usize, usize)>,
        structs: Vec<usize>,
        options: UnnestOptions,
        schema: SchemaRef,
    },
    /// Each row once for every window that its time is in, with start, end and time of the window.
    Windows {
        shape: WindowShape,
        time: usize,
        schema: SchemaRef,
    },
    /// Three columns of nothing, where a window's columns are that nobody reads.
    PlaceHolders(SchemaRef),
}

pub struct Fragment {
    input: SchemaRef,
    steps: Vec<Step>,
    output: SchemaRef,
}

impl Fragment {
    pub fn new(input: SchemaRef, steps: Vec<Step>, output: SchemaRef) -> Self {
        let steps = take_leaves_first(&input, steps);
        Fragment {
            input,
            steps,
            output,
        }
    }

    pub fn check_input(&self, found: &DataType) -> Outcome<()> {
        let DataType::Struct(fields) = found else {
            return Err(BridgeError::internal("rows are not a record batch"));
        };
        let wanted = self.input.fields();
        if fields.len() != wanted.len() {
            let message = format!(
                "rows have {} columns, the source has {}",
                fields.len(),
                wanted.len()
            );
            return Err(BridgeError::internal(message));
        }
        for (field, wanted) in fields.iter().zip(wanted) {
            if field.data_type() != wanted.data_type() {
                let message = format!(
                    "column '{}' of the rows is {}, not {}",
                    wanted.name(),
                    field.data_type(),
                    wanted.data_type()
                );
                return Err(BridgeError::internal(message));
            }
        }
        Ok(())
    }

    pub fn eval(&self, rows: RecordBatch, now_us: i64) -> Outcome<RecordBatch> {
        set_now_us(now_us);
        let mut batch = rows;
        for step in &self.steps {
            batch = step.apply(batch).map_err(eval_error)?;
        }
        self.finish(batch)
    }

    /// Names, casts to the output's types, and its NOT NULLs.
    fn finish(&self, batch: RecordBatch) -> Outcome<RecordBatch> {
        let strict = CastOptions {
            safe: false,
            ..Default::default()
        };
        let rows = batch.num_rows();
        let mut columns = Vec::with_capacity(batch.num_columns());
        for (column, field) in batch.columns().iter().zip(self.output.fields()) {
            if column.data_type() == field.data_type() {
                columns.push(column.clone());
                continue;
            }
            let cast = cast_with_options(column, field.data_type(), &strict)
                .map_err(|e| BridgeError::invalid(format!("column '{}': {e}", field.name())))?;
            columns.push(cast);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(self.output.clone(), columns, &options)
            .map_err(|e| BridgeError::invalid(e.to_string()))
    }
}

impl Step {
    fn apply(&self, batch: RecordBatch) -> DfResult<RecordBatch> {
        match self {
            Step::Select(indices) => Ok(batch.project(indices)?),
            Step::Filter(predicate) => filter(predicate.as_ref(), batch),
            Step::Project(expressions, schema) => {
                let rows = batch.num_rows();
                let mut columns = Vec::with_capacity(expressions.len());
                for expression in expressions {
                    columns.push(expression.evaluate(&batch)?.into_array(rows)?);
                }
                make(schema, columns, rows)
            }
            Step::UnnestList {
                column,
                null_handling,
                schema,
            } => unnest_list(&batch, *column, *null_handling, schema),
            Step::UnnestAny {
                lists,
                structs,
                options,
                schema,
            } => unnest_any(batch, lists, structs, options, schema),
            Step::Windows {
                shape,
                time,
                schema,
            } => windows(&batch, shape, *time, schema),
            Step::PlaceHolders(schema) => {
                let rows = batch.num_rows();
                let mut columns = batch.columns().to_vec();
                let row = columns.pop();
                columns.extend((0..3).map(|_| Arc::new(NullArray::new(rows)) as ArrayRef));
                columns.extend(row);
                make(schema, columns, rows)
            }
        }
    }
}

fn make(schema: &SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> DfResult<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(
        schema.clone(),
        columns,
        &options,
    )?)
}

fn filter(predicate: &dyn PhysicalExpr, batch: RecordBatch) -> DfResult<RecordBatch> {
    let rows = batch.num_rows();
    let kept = predicate.evaluate(&batch)?.into_array(rows)?;
    let Some(kept) = kept.as_boolean_opt() else {
        return exec_err!("WHERE gave {}, not BOOLEAN", kept.data_type());
    };
    if kept.true_count() == rows {
        return Ok(batch);
    }
    Ok(filter_record_batch(&batch, kept)?)
}

fn unnest_list(
    batch: &RecordBatch,
    column: usize,
    null_handling: NullHandling,
    schema: &SchemaRef,
) -> DfResult<RecordBatch> {
    let fan_out = FanOut::of(
        batch.columns(),
        batch.num_rows(),
        &[(column, 1)],
        null_handling,
    )?;
    let list = batch.column(column).as_list::<i32>();
    let offsets = list.value_offsets();
    let mut rows: Vec<u32> = Vec::with_capacity(fan_out.total());
    let mut elements: Vec<u32> = Vec::with_capacity(fan_out.total());
    let mut present: Vec<bool> = Vec::new();
    for row in 0..list.len() {
        let null = list.is_null(row);
        let (start, end) = (offsets[row] as u32, offsets[row + 1] as u32);
        let empty = null || start == end;
        if !empty {
            for element in start..end {
                rows.push(row as u32);
                elements.push(element);
            }
        } else if match null_handling {
            NullHandling::Drop => false,
            NullHandling::Preserve => null,
            NullHandling::PreserveAndExpandEmpty => true,
        } {
            present.resize(elements.len(), true);
            present.push(false);
            rows.push(row as u32);
            elements.push(0);
        }
    }
    let nulls = if present.is_empty() {
        None
    } else {
        present.resize(elements.len(), true);
        Some(NullBuffer::from(present))
    };
    let count = rows.len();
    let rows = UInt32Array::from(rows);
    let elements = UInt32Array::new(elements.into(), nulls);
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (index, input) in batch.columns().iter().enumerate() {
        columns.push(if index == column {
            take(list.values(), &elements, None)?
        } else {
            take(input, &rows, None)?
        });
    }
    make(schema, columns, count)
}

fn windows(
    batch: &RecordBatch,
    shape: &WindowShape,
    time: usize,
    schema: &SchemaRef,
) -> DfResult<RecordBatch> {
    let times = utc_micros(batch.column(time))?;
    let times = times.as_primitive::<TimestampMicrosecondType>();
    if times.null_count() > 0 {
        return exec_err!(
            "the time attribute '{}' is NULL",
            batch.schema().field(time).name()
        );
    }
    let mut rows: Vec<u32> = Vec::with_capacity(batch.num_rows());
    let mut starts: Vec<i64> = Vec::with_capacity(batch.num_rows());
    let mut ends: Vec<i64> = Vec::with_capacity(batch.num_rows());
    for (row, at) in times.values().iter().enumerate() {
        shape.windows_of(*at, |start, end| {
            rows.push(row as u32);
            starts.push(start.div_euclid(1000));
            ends.push(end.div_euclid(1000));
        });
    }
    let count = rows.len();
    let same = count == batch.num_rows();
    let rows = UInt32Array::from(rows);
    let mut columns = Vec::with_capacity(batch.num_columns() + 3);
    for input in batch.columns() {
        columns.push(match same {
            true => input.clone(),
            false => take(input, &rows, None)?,
        });
    }
    let row = columns.pop();
    let last: Vec<i64> = ends.iter().map(|end| end - 1).collect();
    for edge in [starts, ends, last] {
        columns.push(Arc::new(TimestampMillisecondArray::from(edge)) as ArrayRef);
    }
    columns.extend(row);
    make(schema, columns, count)
}

fn unnest_any(
    batch: RecordBatch,
    lists: &[(usize, usize)],
    structs: &[usize],
    options: &UnnestOptions,
    schema: &SchemaRef,
) -> DfResult<RecordBatch> {
    FanOut::of(
        batch.columns(),
        batch.num_rows(),
        lists,
        options.null_handling,
    )?;
    let input = MemorySourceConfig::try_new_exec(&[vec![batch.clone()]], batch.schema(), None)?;
    let lists = lists
        .iter()
        .map(|(index, depth)| ListUnnest {
            index_in_input_schema: *index,
            depth: *depth,
        })
        .collect();
    let exec = UnnestExec::new(
        input,
        lists,
        structs.to_vec(),
        schema.clone(),
        options.clone(),
    )?;
    let stream = exec.execute(0, Arc::new(TaskContext::default()))?;
    let batches: Vec<RecordBatch> = futures::executor::block_on(stream.try_collect())?;
    Ok(concat_batches(schema, &batches)?)
}
