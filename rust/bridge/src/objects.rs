//! S3 by object_store: for Weir's own objects, and under delta-rs.

use std::collections::HashMap;
use std::sync::{Arc, Once};
use std::time::Duration;

use bytes::Bytes;
use deltalake_core::logstore::{
    default_logstore, logstore_factories, object_store_factories, LogStore, LogStoreFactory,
    ObjectStoreFactory, ObjectStoreRef, StorageConfig,
};
use deltalake_core::{DeltaResult, DeltaTableError};
use futures::TryStreamExt;
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};
use object_store::path::Path;
use object_store::{
    BackoffConfig, ClientOptions, GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutMode,
    PutOptions, RetryConfig, WriteMultipart,
};
use url::Url;

use crate::error::{object_error, BridgeError, Code, Outcome};

const PART_BYTES: usize = 5 * 1024 * 1024;
const PARTS_IN_FLIGHT: usize = 4;

/// The store at the root of the bucket. Conditional puts make log commits and put_if_absent safe.
fn bucket(url: &Url, options: &HashMap<String, String>) -> object_store::Result<AmazonS3> {
    let name = url.host_str().unwrap_or_default();
    let retry = RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(3),
            base: 2.0,
        },
        max_retries: 5,
        retry_timeout: Duration::from_secs(20),
    };
    let client = ClientOptions::new()
        .with_connect_timeout(Duration::from_secs(5))
        .with_timeout(Duration::from_secs(60));
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(name)
        .with_retry(retry);
    let mut allow_http = false;
    for (key, value) in options {
        let Ok(known) = key.parse::<AmazonS3ConfigKey>() else {
            continue;
        };
        if known == AmazonS3ConfigKey::Endpoint && value.starts_with("http://") {
            allow_http = true;
        }
        builder = builder.with_config(known, value);
    }
    builder
        .with_client_options(client.with_allow_http(allow_http))
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .build()
}

#[derive(Debug)]
struct S3Factory;

impl ObjectStoreFactory for S3Factory {
    fn parse_url_opts(
        &self,
        url: &Url,
        config: &StorageConfig,
    ) -> DeltaResult<(ObjectStoreRef, Path)> {
        let store =
            bucket(url, &config.raw).map_err(|source| DeltaTableError::ObjectStore { source })?;
        Ok((Arc::new(store), Path::from_url_path(url.path())?))
    }
}

impl LogStoreFactory for S3Factory {
    fn with_options(
        &self,
        prefixed_store: ObjectStoreRef,
        root_store: ObjectStoreRef,
        location: &Url,
        options: &StorageConfig,
    ) -> DeltaResult<Arc<dyn LogStore>> {
        Ok(default_logstore(
            prefixed_store,
            root_store,
            location,
            options,
        ))
    }
}

/// Teaches delta-rs our S3; before any table is opened.
pub fn register_s3() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for scheme in ["s3://", "s3a://"] {
            let url = Url::parse(scheme).expect("a constant");
            object_store_factories().insert(url.clone(), Arc::new(S3Factory));
            logstore_factories().insert(url, Arc::new(S3Factory));
        }
    });
}

pub struct Objects {
    store: Arc<dyn ObjectStore>,
    root: Path,
    uri: String,
}

impl Objects {
    pub fn open(uri: &str, options: &HashMap<String, String>) -> Outcome<Self> {
        let url = Url::parse(uri)
            .map_err(|e| BridgeError::invalid(format!("'{uri}' is not a URI: {e}")))?;
        if !matches!(url.scheme(), "s3" | "s3a") || url.host_str().is_none_or(str::is_empty) {
            return Err(BridgeError::invalid(format!(
                "'{uri}' is not s3://bucket/path"
            )));
        }
        let store = bucket(&url, options).map_err(|e| object_error(e, uri))?;
        let root = Path::from_url_path(url.path())
            .map_err(|e| BridgeError::invalid(format!("'{uri}': {e}")))?;
        Ok(Objects {
            store: Arc::new(store),
            root,
            uri: uri.to_string(),
        })
    }

    fn path(&self, relative: &str) -> Outcome<Path> {
        let all = if self.root.as_ref().is_empty() {
            relative.to_string()
        } else {
            format!("{}/{relative}", self.root)
        };
        Path::parse(&all)
            .map_err(|e| BridgeError::invalid(format!("object path '{relative}': {e}")))
    }

    fn named(&self, relative: &str) -> String {
        format!("{}/{relative}", self.uri.trim_end_matches('/'))
    }

    pub async fn put(&self, path: &str, bytes: Vec<u8>, if_absent: bool) -> Outcome<()> {
        let mode = if if_absent {
            PutMode::Create
        } else {
            PutMode::Overwrite
        };
        let options = PutOptions {
            mode,
            ..Default::default()
        };
        match self
            .store
            .put_opts(&self.path(path)?, bytes.into(), options)
            .await
        {
            Ok(_) => Ok(()),
            Err(
                object_store::Error::AlreadyExists { .. }
                | object_store::Error::Precondition { .. },
            ) if if_absent => Err(BridgeError::new(
                Code::AlreadyExists,
                format!("{} is there already", self.named(path)),
            )),
            Err(e) => Err(object_error(e, &self.named(path))),
        }
    }

    pub async fn get(&self, path: &str) -> Outcome<Vec<u8>> {
        let failed = |e| object_error(e, &self.named(path));
        let found = self.store.get(&self.path(path)?).await.map_err(failed)?;
        Ok(found.bytes().await.map_err(failed)?.to_vec())
    }

    /// How long the object is, and its last bytes.
    pub async fn tail(&self, path: &str, most: u64) -> Outcome<(u64, Vec<u8>)> {
        let location = self.path(path)?;
        let failed = |e| object_error(e, &self.named(path));
        let options = GetOptions {
            range: Some(GetRange::Suffix(most)),
            ..Default::default()
        };
        let found = match self.store.get_opts(&location, options).await {
            Ok(found) => found,
            Err(e @ object_store::Error::NotFound { .. }) => return Err(failed(e)),
            // An empty object has no range.
            Err(e) => {
                let meta = self.store.head(&location).await.map_err(failed)?;
                return if meta.size == 0 {
                    Ok((0, Vec::new()))
                } else {
                    Err(failed(e))
                };
            }
        };
        let size = found.meta.size;
        Ok((size, found.bytes().await.map_err(failed)?.to_vec()))
    }

    /// Paths below a folder, relative to the root, sorted.
    pub async fn list(&self, prefix: &str) -> Outcome<Vec<String>> {
        let prefix = prefix.trim_end_matches('/');
        let folder = if prefix.is_empty() {
            self.root.clone()
        } else {
            self.path(prefix)?
        };
        let found: Vec<_> = self
            .store
            .list(Some(&folder))
            .try_collect()
            .await
            .map_err(|e| object_error(e, &self.named(prefix)))?;
        let cut = if self.root.as_ref().is_empty() {
            0
        } else {
            self.root.as_ref().len() + 1
        };
        let mut paths: Vec<String> = found
            .iter()
            .map(|meta| meta.location.as_ref()[cut..].to_string())
            .collect();
        paths.sort();
        Ok(paths)
    }

    pub async fn remove(&self, path: &str) -> Outcome<()> {
        match self.store.delete(&self.path(path)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(e) => Err(object_error(e, &self.named(path))),
        }
    }

    pub fn writer(&self, path: &str) -> Outcome<Writer> {
        let location = self.path(path)?;
        Ok(Writer {
            store: self.store.clone(),
            location,
            name: self.named(path),
            buffer: Vec::new(),
            upload: None,
            closed: false,
        })
    }
}

/// Small objects are one put; larger ones go in parts, a bounded number of them in flight.
pub struct Writer {
    store: Arc<dyn ObjectStore>,
    location: Path,
    name: String,
    buffer: Vec<u8>,
    upload: Option<WriteMultipart>,
    closed: bool,
}

impl Writer {
    pub async fn write(&mut self, bytes: &[u8]) -> Outcome<()> {
        if self.closed {
            return Err(BridgeError::internal(format!(
                "{}: written after close",
                self.name
            )));
        }
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() < PART_BYTES {
            return Ok(());
        }
        if self.upload.is_none() {
            let upload = self
                .store
                .put_multipart(&self.location)
                .await
                .map_err(|e| object_error(e, &self.name))?;
            self.upload = Some(WriteMultipart::new_with_chunk_size(upload, PART_BYTES));
        }
        let upload = self.upload.as_mut().expect("set above");
        upload
            .wait_for_capacity(PARTS_IN_FLIGHT)
            .await
            .map_err(|e| object_error(e, &self.name))?;
        upload.put(Bytes::from(std::mem::take(&mut self.buffer)));
        Ok(())
    }

    pub async fn close(&mut self) -> Outcome<()> {
        if self.closed {
            return Err(BridgeError::internal(format!(
                "{}: closed twice",
                self.name
            )));
        }
        self.closed = true;
        let rest = std::mem::take(&mut self.buffer);
        let finished = match self.upload.take() {
            None => self
                .store
                .put(&self.location, rest.into())
                .await
                .map(|_| ()),
            Some(mut upload) => {
                upload.put(Bytes::from(rest));
                upload.finish().await.map(|_| ())
            }
        };
        finished.map_err(|e| object_error(e, &self.name))
    }

    /// Best effort: what the abort leaves behind is never visible.
    pub async fn abandon(&mut self) {
        if let Some(upload) = self.upload.take() {
            let _ = upload.abort().await;
        }
    }
}
