//! Delta tables by delta-rs: exactly the next version or a conflict, and the log's transactions.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Int64Type, Schema, SchemaRef};
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use datafusion::parquet::arrow::ProjectionMask;
use deltalake_core::kernel::engine::arrow_conversion::{TryIntoArrow, TryIntoKernel};
use deltalake_core::kernel::transaction::{CommitBuilder, CommitProperties, TransactionError};
use deltalake_core::kernel::{Action, Add, MetadataExt, StructField, StructType, Transaction};
use deltalake_core::operations::create::CreateBuilder;
use deltalake_core::protocol::{DeltaOperation, MergePredicate, SaveMode};
use deltalake_core::{
    ensure_table_uri, DeltaTable, DeltaTableBuilder, DeltaTableError, ObjectStore,
};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::ObjectStoreExt;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use url::Url;

use crate::error::{object_error, storage_error, BridgeError, Code, Outcome};
use crate::objects::register_s3;
use crate::widen::plain;

const CHECKPOINT_EVERY: i64 = 100;

#[derive(Deserialize)]
pub struct CreateRequest {
    partition_by: Vec<String>,
    properties: HashMap<String, String>,
}

#[derive(Deserialize)]
pub struct CommitRequest {
    adds: Vec<AddFile>,
    /// Paths of files() of the very snapshot that the commit builds on.
    #[serde(default)]
    removes: Vec<String>,
    /// What decided which rows change; None: the commit only adds.
    #[serde(default)]
    merge_on: Option<String>,
    transactions: Vec<(String, i64)>,
    info: serde_json::Map<String, serde_json::Value>,
}

#[derive(Deserialize, Serialize)]
struct AddFile {
    path: String,
    size: i64,
    modified_ms: i64,
    partition_values: HashMap<String, Option<String>>,
    stats: String,
}

pub struct Delta {
    uri: String,
    /// The folder of a local table.
    folder: Option<PathBuf>,
    state: Mutex<State>,
}

struct State {
    table: DeltaTable,
    /// The version up to which the log survives a crash of the machine, as far as this handle knows.
    synced: Option<i64>,
    transactions: Transactions,
}

/// (appId, version) as of one version of the log, brought forward commit by commit.
#[derive(Default)]
struct Transactions {
    version: Option<i64>,
    found: BTreeMap<String, i64>,
}

fn location(uri: &str) -> Outcome<(Url, Option<PathBuf>)> {
    register_s3();
    if uri.contains("://") {
        let url =
            ensure_table_uri(uri).map_err(|e| BridgeError::invalid(format!("'{uri}': {e}")))?;
        let folder = if url.scheme() == "file" {
            url.to_file_path().ok()
        } else {
            None
        };
        return Ok((url, folder));
    }
    // Not ensure_table_uri: it would create the folder of a table that is only looked for.
    let folder =
        std::path::absolute(uri).map_err(|e| BridgeError::invalid(format!("'{uri}': {e}")))?;
    let url = Url::from_directory_path(&folder)
        .map_err(|_| BridgeError::invalid(format!("'{uri}' is not a path")))?;
    Ok((url, Some(folder)))
}

pub async fn open_table(uri: &str, options: HashMap<String, String>) -> Outcome<DeltaTable> {
    let (url, folder) = location(uri)?;
    if let Some(folder) = &folder {
        match std::fs::metadata(folder.join("_delta_log")) {
            Ok(_) => {}
            Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => {
                return Err(BridgeError::new(Code::Denied, format!("{uri}: {e}")))
            }
            Err(_) => {
                return Err(BridgeError::new(
                    Code::NotFound,
                    format!("there is no Delta table at {uri}"),
                ))
            }
        }
    }
    let builder = DeltaTableBuilder::from_url(url).map_err(|e| storage_error(e, uri))?;
    let mut table = builder
        .with_storage_options(options)
        .build()
        .map_err(|e| storage_error(e, uri))?;
    match table.load().await {
        Ok(()) => Ok(table),
        Err(error) => {
            // An empty log shows in several ways; whether it is one is told by the location itself.
            match table.verify_deltatable_existence().await {
                Ok(false) => Err(BridgeError::new(
                    Code::NotFound,
                    format!("there is no Delta table at {uri}"),
                )),
                Err(e) => Err(storage_error(e, uri)),
                Ok(true) => Err(storage_error(error, uri)),
            }
        }
    }
}

impl Delta {
    pub async fn open(uri: &str, options: HashMap<String, String>) -> Outcome<Self> {
        let folder = location(uri)?.1;
        let table = open_table(uri, options).await?;
        let delta = Self::of(uri, folder, table);
        delta.sync_log(&mut *delta.state.lock().await)?;
        Ok(delta)
    }

    fn of(uri: &str, folder: Option<PathBuf>, table: DeltaTable) -> Self {
        let state = State {
            table,
            synced: None,
            transactions: Transactions::default(),
        };
        Delta {
            uri: uri.to_string(),
            folder,
            state: Mutex::new(state),
        }
    }

    pub async fn create(
        uri: &str,
        options: HashMap<String, String>,
        schema: &Schema,
        request: CreateRequest,
    ) -> Outcome<Self> {
        let (url, folder) = location(uri)?;
        if let Some(folder) = &folder {
            std::fs::create_dir_all(folder).map_err(|e| {
                BridgeError::new(
                    crate::error::storage_code(&e),
                    format!("{uri} cannot be created: {e}"),
                )
            })?;
        }
        let fields = kernel_schema(schema)?;
        let unknown = request
            .partition_by
            .iter()
            .find(|name| fields.field(name.as_str()).is_none());
        if let Some(name) = unknown {
            return Err(BridgeError::invalid(format!(
                "partition column '{name}' is not a column of the table"
            )));
        }
        let table = DeltaTableBuilder::from_url(url)
            .and_then(|b| b.with_storage_options(options).build())
            .map_err(|e| storage_error(e, uri))?;
        let created = CreateBuilder::new()
            .with_log_store(table.log_store())
            .with_columns(fields.fields().cloned())
            .with_partition_columns(request.partition_by)
            .with_configuration(
                request
                    .properties
                    .into_iter()
                    .map(|(key, value)| (key, Some(value))),
            )
            .with_raise_if_key_not_exists(false)
            .with_save_mode(SaveMode::ErrorIfExists)
            .with_commit_properties(no_retries())
            .await;
        let created = created.map_err(|error| {
            let text = error.to_string();
            if text.contains("already exists") || is_conflict(&error) {
                return BridgeError::new(
                    Code::AlreadyExists,
                    format!("a Delta table is at {uri} already"),
                );
            }
            storage_error(error, uri)
        })?;
        let delta = Self::of(uri, folder, created);
        delta.sync_log(&mut *delta.state.lock().await)?;
        Ok(delta)
    }

    pub async fn refresh(&self) -> Outcome<()> {
        let mut state = self.state.lock().await;
        state
            .table
            .update_state()
            .await
            .map_err(|e| storage_error(e, &self.uri))?;
        // A commit of unknown outcome may be among them: it is believed once it is durable.
        self.sync_log(&mut state)
    }

    pub async fn version(&self) -> Outcome<i64> {
        Ok(version_of(&self.state.lock().await.table))
    }

    pub async fn schema(&self) -> Outcome<Schema> {
        let state = self.state.lock().await;
        let snapshot = state
            .table
            .snapshot()
            .map_err(|e| storage_error(e, &self.uri))?;
        let arrow: Schema = snapshot
            .schema()
            .as_ref()
            .try_into_arrow()
            .map_err(|e| BridgeError::invalid(format!("{}: {e}", self.uri)))?;
        let fields: Vec<_> = arrow
            .fields()
            .iter()
            .map(|f| f.as_ref().clone().with_data_type(plain(f.data_type())))
            .collect();
        Ok(Schema::new(fields))
    }

    pub async fn partition_columns(&self) -> Outcome<Vec<String>> {
        let state = self.state.lock().await;
        let snapshot = state
            .table
            .snapshot()
            .map_err(|e| storage_error(e, &self.uri))?;
        Ok(snapshot.metadata().partition_columns().to_vec())
    }

    /// The snapshot's files as JSON, for a rewrite of some of them. Invalid where a rewrite would lose something.
    pub async fn files(&self) -> Outcome<String> {
        let state = self.state.lock().await;
        let snapshot = state
            .table
            .snapshot()
            .map_err(|e| storage_error(e, &self.uri))?;
        let refused = |what: &str| {
            let words = format!(
                "{}: its files cannot be rewritten by Weir: {what}",
                self.uri
            );
            BridgeError::invalid(words)
        };
        let properties = snapshot.metadata().configuration();
        if properties
            .get("delta.columnMapping.mode")
            .is_some_and(|mode| mode != "none")
        {
            return Err(refused("it maps columns (delta.columnMapping.mode)"));
        }
        if properties
            .get("delta.enableChangeDataFeed")
            .is_some_and(|on| on == "true")
        {
            return Err(refused("it keeps a change data feed"));
        }
        let mut files = Vec::new();
        for view in snapshot.log_data().iter() {
            if view.deletion_vector_descriptor().is_some() {
                return Err(refused("rows are deleted by deletion vectors"));
            }
            let path = view.path().to_string();
            if path.contains("://") || path.starts_with('/') {
                return Err(refused("some lie outside of it (a shallow clone)"));
            }
            files.push(AddFile {
                path,
                size: view.size(),
                modified_ms: view.modification_time(),
                partition_values: view.partition_values_map(),
                stats: view.stats().unwrap_or_default(),
            });
        }
        serde_json::to_string(&files).map_err(|e| BridgeError::internal(e.to_string()))
    }

    pub async fn transactions(&self, prefix: &str, exact: bool) -> Outcome<BTreeMap<String, i64>> {
        let mut state = self.state.lock().await;
        let version = version_of(&state.table);
        let store = state.table.object_store();
        state
            .transactions
            .advance(store.as_ref(), version, &self.uri)
            .await?;
        let matches = |id: &str| {
            if exact {
                id == prefix
            } else {
                id.starts_with(prefix)
            }
        };
        let found = state
            .transactions
            .found
            .iter()
            .filter(|(id, _)| matches(id));
        Ok(found.map(|(id, version)| (id.clone(), *version)).collect())
    }

    pub async fn commit(
        &self,
        request: CommitRequest,
        new_schema: Option<SchemaRef>,
    ) -> Outcome<i64> {
        let mut state = self.state.lock().await;
        let expected = version_of(&state.table) + 1;
        let mut actions = self.actions(&state.table, request.adds, new_schema)?;
        actions.extend(self.removals(&state.table, request.removes)?);
        let transactions: Vec<_> = request
            .transactions
            .iter()
            .map(|(id, v)| Transaction::new(id, *v))
            .collect();
        let properties = no_retries()
            .with_metadata(request.info)
            .with_application_transactions(transactions);
        let snapshot = state
            .table
            .snapshot()
            .map_err(|e| storage_error(e, &self.uri))?;
        let partition_by = snapshot.metadata().partition_columns().to_vec();
        let operation = match request.merge_on {
            None => DeltaOperation::Write {
                mode: SaveMode::Append,
                partition_by: (!partition_by.is_empty()).then_some(partition_by),
                predicate: None,
            },
            Some(keys) => merge_operation(keys),
        };
        let prepared = CommitBuilder::from(properties)
            .with_actions(actions)
            .build(Some(snapshot), state.table.log_store(), operation)
            .into_prepared_commit_future();
        let written = async { prepared.await?.await }
            .await
            .map_err(|error| self.commit_error(error, expected))?;
        let version = written.version as i64;
        drop(written);
        self.sync_versions(&mut state, version)?;
        // The commit stands from here on; a failure below is an unknown outcome, which the caller looks up.
        state.table.update_state().await.map_err(|e| {
            BridgeError::new(
                Code::Unavailable,
                storage_error(e, &format!("{}: reload after a commit", self.uri)).message,
            )
        })?;
        if version % CHECKPOINT_EVERY == 0 && version_of(&state.table) == version {
            // Readers do without it: they replay more commits.
            let made = deltalake_core::checkpoints::create_checkpoint(&state.table, None).await;
            if made.is_ok() {
                self.sync_checkpoint(version);
            }
        }
        Ok(version)
    }

    fn actions(
        &self,
        table: &DeltaTable,
        adds: Vec<AddFile>,
        new_schema: Option<SchemaRef>,
    ) -> Outcome<Vec<Action>> {
        let mut actions = Vec::with_capacity(adds.len() + 2);
        if let Some(schema) = new_schema {
            let snapshot = table.snapshot().map_err(|e| storage_error(e, &self.uri))?;
            let merged = merge(snapshot.schema().as_ref(), &kernel_schema(&schema)?)?;
            let metadata = snapshot
                .metadata()
                .clone()
                .with_schema(&merged)
                .map_err(|e| BridgeError::internal(format!("{}: {e}", self.uri)))?;
            actions.push(Action::Metadata(metadata));
            if has_local_timestamp(schema.as_ref()) {
                if let Some(protocol) = with_timestamp_ntz(snapshot.protocol())? {
                    actions.push(protocol);
                }
            }
        }
        for add in adds {
            actions.push(Action::Add(Add {
                path: add.path,
                partition_values: add.partition_values,
                size: add.size,
                modification_time: add.modified_ms,
                data_change: true,
                stats: (!add.stats.is_empty()).then_some(add.stats),
                ..Default::default()
            }));
        }
        Ok(actions)
    }

    /// Every file must be live in the loaded snapshot: one that is not was rewritten by somebody else.
    fn removals(&self, table: &DeltaTable, paths: Vec<String>) -> Outcome<Vec<Action>> {
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        let mut wanted: HashSet<String> = paths.into_iter().collect();
        let snapshot = table.snapshot().map_err(|e| storage_error(e, &self.uri))?;
        let mut actions = Vec::with_capacity(wanted.len());
        for view in snapshot.log_data().iter() {
            if wanted.remove(view.path().as_ref()) {
                actions.push(Action::Remove(view.remove_action(true)));
            }
        }
        match wanted.into_iter().next() {
            None => Ok(actions),
            Some(path) => Err(BridgeError::internal(format!(
                "{}: a commit removes '{path}', which is not a file of version {}",
                self.uri,
                version_of(table)
            ))),
        }
    }

    fn commit_error(&self, error: DeltaTableError, expected: i64) -> BridgeError {
        if is_conflict(&error) {
            let message = format!("{}: another writer has made version {expected}", self.uri);
            return BridgeError::new(Code::Conflict, message);
        }
        storage_error(
            error,
            &format!("{}: commit of version {expected}", self.uri),
        )
    }

    fn sync_log(&self, state: &mut State) -> Outcome<()> {
        let version = version_of(&state.table);
        self.sync_versions(state, version)
    }

    /// A commit counts once it survives a crash of the machine.
    fn sync_versions(&self, state: &mut State, version: i64) -> Outcome<()> {
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        let first = state.synced.map_or(version, |synced| synced + 1);
        if first > version {
            return Ok(());
        }
        let log = folder.join("_delta_log");
        let failed = |version: i64, e: std::io::Error| {
            let message = format!("{}: version {version} may not be durable: {e}", self.uri);
            BridgeError::new(Code::Unavailable, message)
        };
        for version in first..=version {
            match sync(&log.join(format!("{version:020}.json"))) {
                // Cleaned up: a checkpoint holds it.
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                synced => synced.map_err(|e| failed(version, e))?,
            }
        }
        sync(&log).map_err(|e| failed(version, e))?;
        state.synced = Some(version);
        Ok(())
    }

    /// One that may not survive a crash goes away while its commits are all there.
    fn sync_checkpoint(&self, version: i64) {
        let Some(folder) = &self.folder else {
            return;
        };
        let log = folder.join("_delta_log");
        let hint = log.join("_last_checkpoint");
        let file = log.join(format!("{version:020}.checkpoint.parquet"));
        let synced = sync(&file)
            .and_then(|()| sync(&hint))
            .and_then(|()| sync(&log));
        if synced.is_err() {
            let _ = std::fs::remove_file(hint).and_then(|()| std::fs::remove_file(file));
        }
    }
}

fn sync(path: &std::path::Path) -> std::io::Result<()> {
    std::fs::File::open(path)?.sync_all()
}

fn version_of(table: &DeltaTable) -> i64 {
    table.version().map_or(-1, |v| v as i64)
}

fn no_retries() -> CommitProperties {
    CommitProperties::default()
        .with_max_retries(0)
        .with_create_checkpoint(false)
        .with_cleanup_expired_logs(Some(false))
}

fn merge_operation(keys: String) -> DeltaOperation {
    let action = |name: &str| MergePredicate {
        action_type: name.into(),
        predicate: None,
    };
    DeltaOperation::Merge {
        predicate: Some(keys.clone()),
        merge_predicate: Some(keys),
        matched_predicates: vec![action("update"), action("delete")],
        not_matched_predicates: vec![action("insert")],
        not_matched_by_source_predicates: vec![],
    }
}

fn is_conflict(error: &DeltaTableError) -> bool {
    match error {
        DeltaTableError::VersionAlreadyExists(_) => true,
        DeltaTableError::Transaction { source } => matches!(
            source,
            TransactionError::VersionAlreadyExists(_)
                | TransactionError::MaxCommitAttempts(_)
                | TransactionError::CommitConflict(_)
        ),
        _ => false,
    }
}

fn kernel_schema(schema: &Schema) -> Outcome<StructType> {
    for field in schema.fields() {
        if let Some(reason) = refused_type(field.data_type()) {
            return Err(BridgeError::invalid(format!(
                "column '{}': {reason}",
                field.name()
            )));
        }
    }
    schema
        .try_into_kernel()
        .map_err(|e| BridgeError::invalid(format!("schema has no Delta form: {e}")))
}

fn refused_type(kind: &DataType) -> Option<String> {
    use arrow::datatypes::TimeUnit;
    match kind {
        DataType::Time32(_) | DataType::Time64(_) => {
            Some("Delta has no TIME: write CAST(… AS STRING)".into())
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            Some("Delta's timestamps are microseconds: write CAST(… AS TIMESTAMP(6))".into())
        }
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => {
            Some("Delta has no unsigned integers: write CAST(… AS BIGINT)".into())
        }
        DataType::Null => Some("a bare NULL has no type: write CAST(NULL AS …)".into()),
        DataType::List(field) | DataType::Map(field, _) => refused_type(field.data_type()),
        DataType::Struct(fields) => fields
            .iter()
            .find_map(|field| refused_type(field.data_type())),
        _ => None,
    }
}

/// The table's columns as they are, and the new ones behind them.
fn merge(current: &StructType, wanted: &StructType) -> Outcome<StructType> {
    let mut fields: Vec<StructField> = current.fields().cloned().collect();
    for field in wanted.fields() {
        match current.field(field.name()) {
            Some(known) if known.data_type() == field.data_type() => {}
            Some(known) => {
                return Err(BridgeError::invalid(format!(
                    "column '{}' is {} in the table and {} now: only added columns are possible",
                    field.name(),
                    known.data_type(),
                    field.data_type()
                )))
            }
            None if !field.is_nullable() => {
                let message = format!(
                    "added column '{}' must be nullable: older rows do not have it",
                    field.name()
                );
                return Err(BridgeError::invalid(message));
            }
            None => fields.push(field.clone()),
        }
    }
    StructType::try_new(fields).map_err(|e| BridgeError::invalid(e.to_string()))
}

fn has_local_timestamp(schema: &Schema) -> bool {
    fn in_type(kind: &DataType) -> bool {
        match kind {
            DataType::Timestamp(_, None) => true,
            DataType::List(field) | DataType::Map(field, _) => in_type(field.data_type()),
            DataType::Struct(fields) => fields.iter().any(|field| in_type(field.data_type())),
            _ => false,
        }
    }
    schema
        .fields()
        .iter()
        .any(|field| in_type(field.data_type()))
}

/// The protocol with the timestampNtz feature, when it is not there yet.
fn with_timestamp_ntz(protocol: &deltalake_core::kernel::Protocol) -> Outcome<Option<Action>> {
    let broken = |e: serde_json::Error| BridgeError::internal(format!("protocol action: {e}"));
    let mut value = serde_json::to_value(protocol).map_err(broken)?;
    let was = value.to_string();
    if was.contains("timestampNtz") {
        return Ok(None);
    }
    let writer = value["minWriterVersion"].as_i64().unwrap_or(2);
    value["minReaderVersion"] = 3.into();
    value["minWriterVersion"] = 7.into();
    for key in ["readerFeatures", "writerFeatures"] {
        let mut features = value[key].as_array().cloned().unwrap_or_default();
        if key == "writerFeatures" && writer < 7 {
            // What the legacy version 2 implied.
            features.extend(["appendOnly".into(), "invariants".into()]);
        }
        features.push("timestampNtz".into());
        value[key] = features.into();
    }
    Ok(Some(Action::Protocol(
        serde_json::from_value(value).map_err(broken)?,
    )))
}

// ---- transactions

impl Transactions {
    /// Reads the log from what is known (or from the newest checkpoint) up to `version`.
    async fn advance(&mut self, store: &dyn ObjectStore, version: i64, uri: &str) -> Outcome<()> {
        if self.version.is_some_and(|known| known > version) {
            *self = Self::default();
        }
        let (mut from, unreadable) = match self.version {
            Some(known) => (known + 1, None),
            None => self.load_checkpoint(store, version, uri).await?,
        };
        let failed = |e| match (e, unreadable) {
            (object_store::Error::NotFound { .. }, Some(checkpoint)) => checkpoint,
            (e, _) => object_error(e, uri),
        };
        let entries: Vec<(i64, bytes::Bytes)> = futures::stream::iter(from..=version)
            .map(|v| async move {
                let bytes = store
                    .get(&Path::from(format!("_delta_log/{v:020}.json")))
                    .await?
                    .bytes()
                    .await?;
                Ok::<_, object_store::Error>((v, bytes))
            })
            .buffered(16)
            .try_collect()
            .await
            .map_err(failed)?;
        for (v, bytes) in entries {
            debug_assert_eq!(v, from);
            for line in bytes.split(|byte| *byte == b'\n') {
                // Most lines are adds; parsing them all would cost.
                if !line.starts_with(b"{\"txn\"") {
                    let head = &line[..line.len().min(64)];
                    if !head.windows(5).any(|w| w == b"\"txn\"") {
                        continue;
                    }
                }
                let action: serde_json::Value = serde_json::from_slice(line).map_err(|e| {
                    BridgeError::invalid(format!("{uri}: version {v} of the log: {e}"))
                })?;
                if let (Some(id), Some(at)) = (
                    action["txn"]["appId"].as_str(),
                    action["txn"]["version"].as_i64(),
                ) {
                    self.found.insert(id.to_string(), at);
                }
            }
            from += 1;
        }
        self.version = Some(version);
        Ok(())
    }

    /// The first version that the newest readable checkpoint does not cover, and what is wrong with a newer one.
    async fn load_checkpoint(
        &mut self,
        store: &dyn ObjectStore,
        version: i64,
        uri: &str,
    ) -> Outcome<(i64, Option<BridgeError>)> {
        let failed = |e| object_error(e, uri);
        let listed: Vec<_> = store
            .list(Some(&Path::from("_delta_log")))
            .try_collect()
            .await
            .map_err(failed)?;
        let mut checkpoints: BTreeMap<i64, Vec<Path>> = BTreeMap::new();
        for object in listed {
            let name = object.location.filename().unwrap_or_default();
            if name.ends_with(".parquet") && name.contains(".checkpoint.") {
                if let Some(at) = name.get(..20).and_then(|digits| digits.parse::<i64>().ok()) {
                    if at <= version {
                        checkpoints
                            .entry(at)
                            .or_default()
                            .push(object.location.clone());
                    }
                }
            }
        }
        let mut unreadable = None;
        'checkpoints: while let Some((at, files)) = checkpoints.pop_last() {
            self.found.clear();
            for file in files {
                let bytes = store
                    .get(&file)
                    .await
                    .map_err(failed)?
                    .bytes()
                    .await
                    .map_err(failed)?;
                if let Err(e) = self.read_checkpoint(bytes) {
                    let words = format!("{uri}: {file}: {e}");
                    unreadable.get_or_insert(BridgeError::invalid(words));
                    continue 'checkpoints;
                }
            }
            return Ok((at + 1, unreadable));
        }
        self.found.clear();
        Ok((0, unreadable))
    }

    fn read_checkpoint(&mut self, bytes: bytes::Bytes) -> Result<(), Box<dyn std::error::Error>> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(bytes)?;
        let Some(root) = builder
            .schema()
            .fields()
            .iter()
            .position(|f| f.name() == "txn")
        else {
            return Ok(());
        };
        let mask = ProjectionMask::roots(builder.parquet_schema(), [root]);
        for batch in builder.with_projection(mask).build()? {
            let batch = batch?;
            let Some(txn) = batch.column(0).as_struct_opt() else {
                continue;
            };
            let (Some(ids), Some(versions)) =
                (txn.column_by_name("appId"), txn.column_by_name("version"))
            else {
                continue;
            };
            let ids = arrow::compute::cast(ids, &DataType::Utf8)?;
            let ids = ids.as_string::<i32>();
            let Some(versions) = versions.as_primitive_opt::<Int64Type>() else {
                continue;
            };
            for row in (0..txn.len()).filter(|row| txn.is_valid(*row) && ids.is_valid(*row)) {
                self.found
                    .insert(ids.value(row).to_string(), versions.value(row));
            }
        }
        Ok(())
    }
}
