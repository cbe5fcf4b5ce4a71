//! Any SQL over Delta tables, as a stream of batches under a memory bound.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchReader};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use datafusion::catalog::MemorySchemaProvider;
use datafusion::common::TableReference;
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::prelude::{SQLOptions, SessionConfig, SessionContext};
use futures::StreamExt;
use serde::Deserialize;

use crate::delta::open_table;
use crate::error::{eval_error, planning_error, storage_error, BridgeError, Outcome};
use crate::runtime;
use crate::widen::plain;

const MEMORY_BYTES: usize = 256 * 1024 * 1024;

#[derive(Deserialize)]
pub struct Table {
    schema: String,
    name: String,
    uri: String,
    options: HashMap<String, String>,
}

pub fn run(tables: Vec<Table>, sql: &str) -> Outcome<Reader> {
    runtime().block_on(start(tables, sql))
}

async fn start(tables: Vec<Table>, sql: &str) -> Outcome<Reader> {
    let mut config = SessionConfig::new()
        .with_target_partitions(2)
        .with_information_schema(true);
    {
        let options = config.options_mut();
        options.sql_parser.enable_ident_normalization = false;
        options.sql_parser.collect_spans = true;
        options.execution.time_zone = Some("UTC".into());
    }
    let environment = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(GreedyMemoryPool::new(MEMORY_BYTES)))
        .build_arc()
        .map_err(eval_error)?;
    let context = SessionContext::new_with_config_rt(config, environment);
    let named = named_tables(&context, sql)?;
    for table in tables {
        // A table that the query does not name is not opened: it may not exist yet, and opening costs a listing.
        if !named
            .as_ref()
            .is_none_or(|names| names.contains(&(table.schema.clone(), table.name.clone())))
        {
            continue;
        }
        let delta = open_table(&table.uri, table.options).await?;
        delta
            .update_datafusion_session(&context.state())
            .map_err(|e| storage_error(e, &table.name))?;
        let provider = delta
            .table_provider()
            .build()
            .await
            .map_err(|e| planning_error(e, sql))?;
        let reference = if table.schema.is_empty() {
            TableReference::bare(table.name)
        } else {
            ensure_schema(&context, &table.schema)?;
            TableReference::partial(table.schema, table.name)
        };
        context
            .register_table(reference, Arc::new(provider))
            .map_err(|e| planning_error(e, sql))?;
    }
    // Queries read: no DDL, no DML, no SET.
    let read_only = SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false);
    let frame = context
        .sql_with_options(sql, read_only)
        .await
        .map_err(|e| planning_error(e, sql))?;
    let stream = frame.execute_stream().await.map_err(eval_error)?;
    let fields: Vec<_> = stream
        .schema()
        .fields()
        .iter()
        .map(|f| Field::new(f.name(), plain(f.data_type()), f.is_nullable()))
        .collect();
    Ok(Reader {
        stream,
        schema: Arc::new(Schema::new(fields)),
        _context: context,
    })
}

/// (schema, name) of every table that the query names; None when it asks the catalog, so that all have to be there.
fn named_tables(context: &SessionContext, sql: &str) -> Outcome<Option<HashSet<(String, String)>>> {
    let state = context.state();
    let dialect = state.config_options().sql_parser.dialect;
    let statement = state
        .sql_to_statement(sql, &dialect)
        .map_err(|e| planning_error(e, sql))?;
    let mut names = HashSet::new();
    for reference in state
        .resolve_table_references(&statement)
        .map_err(|e| planning_error(e, sql))?
    {
        let schema = reference.schema().unwrap_or_default().to_string();
        if schema == "information_schema" {
            return Ok(None);
        }
        names.insert((schema, reference.table().to_string()));
    }
    Ok(Some(names))
}

fn ensure_schema(context: &SessionContext, name: &str) -> Outcome<()> {
    let catalog = context
        .catalog("datafusion")
        .ok_or_else(|| BridgeError::internal("no catalog"))?;
    if catalog.schema(name).is_none() {
        let schema = Arc::new(MemorySchemaProvider::new());
        catalog.register_schema(name, schema).map_err(eval_error)?;
    }
    Ok(())
}

/// Pulls the stream from the caller's thread; view types leave as plain ones.
pub struct Reader {
    stream: SendableRecordBatchStream,
    schema: SchemaRef,
    _context: SessionContext,
}

impl Iterator for Reader {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = runtime().block_on(self.stream.next())?;
        Some(match next {
            Ok(batch) => plain_batch(batch, &self.schema),
            Err(error) => Err(ArrowError::ExternalError(eval_error(error).message.into())),
        })
    }
}

impl RecordBatchReader for Reader {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }
}

fn plain_batch(batch: RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (column, field) in batch.columns().iter().zip(schema.fields()) {
        let same = column.data_type() == field.data_type() || *field.data_type() == DataType::Null;
        columns.push(if same {
            column.clone()
        } else {
            arrow::compute::cast(column, field.data_type())?
        });
    }
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema.clone(), columns, &options)
}
