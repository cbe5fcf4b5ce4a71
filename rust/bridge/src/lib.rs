//! The C ABI of Weir's bridge to DataFusion and delta-rs: see include/weir_bridge.h, which is the contract.

// What a caller must keep is said once, in the header that callers read; not again at each export.
#![allow(clippy::missing_safety_doc)]

mod aggregate;
mod chain;
mod delta;
mod error;
mod fanout;
mod flink_functions;
mod fragment;
mod functions;
mod graph;
mod join;
mod join_kind;
mod leaves;
mod lookup;
mod objects;
mod plan;
mod query;
mod times;
mod top_n;
mod tree;
mod unnest;
mod widen;
mod window_tvf;

use std::any::Any;
use std::cell::Cell;
use std::collections::HashMap;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::{Once, OnceLock};

use arrow::array::{Array, ArrayData, RecordBatch, StructArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use arrow::ffi::{from_ffi, to_ffi, FFI_ArrowArray, FFI_ArrowSchema};
use arrow::ffi_stream::FFI_ArrowArrayStream;

use error::{BridgeError, Outcome};

/// Two threads drive all network and disk work of the bridge; callers block at the edge.
pub(crate) fn runtime() -> &'static tokio::runtime::Runtime {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .max_blocking_threads(16)
            .thread_name("weir-bridge")
            .enable_all()
            .build()
            .expect("tokio runtime")
    })
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct WeirSlice {
    data: *const u8,
    size: usize,
}

#[repr(C)]
pub struct WeirText {
    data: *mut u8,
    size: usize,
}

#[repr(C)]
pub struct WeirError {
    code: i32,
    line: i32,
    column: i32,
    message: WeirText,
    view: WeirText,
}

impl WeirSlice {
    /// The caller lends the bytes for the length of the call.
    unsafe fn bytes<'a>(self) -> &'a [u8] {
        if self.data.is_null() || self.size == 0 {
            return &[];
        }
        std::slice::from_raw_parts(self.data, self.size)
    }
    unsafe fn text<'a>(self) -> Outcome<&'a str> {
        std::str::from_utf8(self.bytes()).map_err(|_| BridgeError::invalid("text is not UTF-8"))
    }
    unsafe fn json<T: serde::de::DeserializeOwned>(self) -> Outcome<T> {
        serde_json::from_slice(self.bytes())
            .map_err(|e| BridgeError::internal(format!("bridge request: {e}")))
    }
}

impl WeirText {
    fn new(bytes: Vec<u8>) -> Self {
        let boxed = bytes.into_boxed_slice();
        let size = boxed.len();
        WeirText {
            data: Box::into_raw(boxed) as *mut u8,
            size,
        }
    }
}

fn panic_words(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|s| s.to_string()))
        .unwrap_or_else(|| "panic".into())
}

/// Runs `body`; of a panic the caller has the words, so that the process's hook prints nothing of it.
fn caught<T>(body: impl FnOnce() -> T) -> std::thread::Result<T> {
    thread_local!(static GUARDS: Cell<u32> = const { Cell::new(0) });
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if GUARDS.get() == 0 {
                before(panic);
            }
        }));
    });
    GUARDS.set(GUARDS.get() + 1);
    let result = catch_unwind(AssertUnwindSafe(body));
    GUARDS.set(GUARDS.get() - 1);
    result
}

/// Runs an export: panics and errors become a code and, when `error` is given, words.
fn guard(error: *mut WeirError, body: impl FnOnce() -> Outcome<()>) -> i32 {
    let failure = match caught(body) {
        Ok(Ok(())) => return 0,
        Ok(Err(failure)) => failure,
        Err(panic) => {
            BridgeError::internal(format!("the bridge panicked: {}", panic_words(&*panic)))
        }
    };
    let code = failure.code as i32;
    if !error.is_null() {
        unsafe {
            *error = WeirError {
                code,
                line: failure.line,
                column: failure.column,
                message: WeirText::new(failure.message.into_bytes()),
                view: WeirText::new(failure.view.into_bytes()),
            };
        }
    }
    code
}

/// A handle behind a pointer that may be null.
unsafe fn handle<'a, T>(pointer: *const T, what: &str) -> Outcome<&'a T> {
    pointer
        .as_ref()
        .ok_or_else(|| BridgeError::internal(format!("{what} handle is null")))
}

unsafe fn handle_mut<'a, T>(pointer: *mut T, what: &str) -> Outcome<&'a mut T> {
    pointer
        .as_mut()
        .ok_or_else(|| BridgeError::internal(format!("{what} handle is null")))
}

unsafe fn out<'a, T>(pointer: *mut T) -> Outcome<&'a mut T> {
    pointer
        .as_mut()
        .ok_or_else(|| BridgeError::internal("an output pointer is null"))
}

unsafe fn free<T>(pointer: *mut T) {
    if !pointer.is_null() {
        // A destructor that panics must not unwind into C++ either.
        let _ = caught(|| drop(Box::from_raw(pointer)));
    }
}

/// Takes a schema over from C++.
unsafe fn take_schema(pointer: *mut FFI_ArrowSchema) -> Outcome<SchemaRef> {
    if pointer.is_null() {
        return Err(BridgeError::internal("a schema pointer is null"));
    }
    let schema = std::ptr::replace(pointer, FFI_ArrowSchema::empty());
    Schema::try_from(&schema)
        .map(SchemaRef::new)
        .map_err(|e| BridgeError::invalid(format!("schema is not understood: {e}")))
}

fn give_schema(schema: &Schema, target: *mut FFI_ArrowSchema) -> Outcome<()> {
    let exported =
        FFI_ArrowSchema::try_from(schema).map_err(|e| BridgeError::internal(e.to_string()))?;
    unsafe {
        out(target)?;
        std::ptr::write(target, exported);
    }
    Ok(())
}

/// Moves offsets and nulls of structs down into their children. arrow-rs 59 panics on a struct within a sliced struct,
/// and DataFusion's get_field reads the (undefined) value below a null struct as if it were there.
fn push_down_structs(data: ArrayData) -> ArrayData {
    if data.child_data().is_empty() {
        return data;
    }
    let is_struct = matches!(data.data_type(), DataType::Struct(_));
    let (offset, length) = (data.offset(), data.len());
    let parent_nulls = data.nulls().filter(|nulls| nulls.null_count() > 0);
    let children = data.child_data().iter().map(|child| {
        if !is_struct || (offset == 0 && child.len() == length && parent_nulls.is_none()) {
            return push_down_structs(child.clone());
        }
        let nulls = child.nulls().map(|nulls| nulls.slice(offset, length));
        let nulls = NullBuffer::union(parent_nulls, nulls.as_ref());
        let cut = child
            .clone()
            .into_builder()
            .offset(child.offset() + offset)
            .len(length);
        let cut = if *child.data_type() == DataType::Null {
            cut
        } else {
            cut.nulls(nulls)
        };
        // Safe: a window of an array that was valid, with more of it null.
        push_down_structs(unsafe { cut.build_unchecked() })
    });
    let children = children.collect();
    let whole = data.clone().into_builder().child_data(children);
    let whole = if is_struct { whole.offset(0) } else { whole };
    unsafe { whole.build_unchecked() }
}

/// Undoes push_down_structs where a field is NOT NULL: Parquet's writer wants no nulls below a null row then.
fn without_masked_nulls(data: ArrayData) -> ArrayData {
    if data.child_data().is_empty() {
        return data;
    }
    let required: Vec<bool> = match data.data_type() {
        DataType::Struct(fields) => fields.iter().map(|field| !field.is_nullable()).collect(),
        _ => vec![false; data.child_data().len()],
    };
    let children = data
        .child_data()
        .iter()
        .zip(required)
        .map(|(child, required)| {
            let masked = required
                && child
                    .nulls()
                    .is_some_and(|nulls| data.nulls().is_some_and(|parent| parent.contains(nulls)));
            let child = without_masked_nulls(child.clone());
            // Safe: the same array with fewer nulls.
            if masked {
                unsafe { child.into_builder().nulls(None).build_unchecked() }
            } else {
                child
            }
        });
    let children = children.collect();
    unsafe {
        data.clone()
            .into_builder()
            .child_data(children)
            .build_unchecked()
    }
}

#[no_mangle]
pub unsafe extern "C" fn weir_text_free(text: WeirText) {
    if !text.data.is_null() {
        drop(Box::from_raw(std::ptr::slice_from_raw_parts_mut(
            text.data, text.size,
        )));
    }
}

#[no_mangle]
pub unsafe extern "C" fn weir_error_free(error: *mut WeirError) {
    if let Some(error) = error.as_mut() {
        let empty = || WeirText {
            data: std::ptr::null_mut(),
            size: 0,
        };
        weir_text_free(std::mem::replace(&mut error.message, empty()));
        weir_text_free(std::mem::replace(&mut error.view, empty()));
        error.code = 0;
    }
}

// ---- planning

pub struct WeirPlan {
    plan: plan::Plan,
    fragments: Vec<Option<fragment::Fragment>>,
}

#[no_mangle]
pub unsafe extern "C" fn weir_plan(
    request: WeirSlice,
    schemas: *const *mut FFI_ArrowSchema,
    schema_count: usize,
    plan: *mut *mut WeirPlan,
    error: *mut WeirError,
) -> i32 {
    guard(error, || {
        let mut taken = Vec::new();
        if schema_count > 0 && schemas.is_null() {
            return Err(BridgeError::internal("schemas pointer is null"));
        }
        for index in 0..schema_count {
            taken.push(take_schema(*schemas.add(index))?);
        }
        let target = out(plan)?;
        let request: plan::Request = request.json()?;
        let mut planned = plan::plan(request, taken)?;
        let fragments = planned.take_fragments().into_iter().map(Some).collect();
        *target = Box::into_raw(Box::new(WeirPlan {
            plan: planned,
            fragments,
        }));
        Ok(())
    })
}

#[no_mangle]
pub unsafe extern "C" fn weir_plan_schema(
    plan: *const WeirPlan,
    schema: *mut FFI_ArrowSchema,
    error: *mut WeirError,
) -> i32 {
    guard(error, || {
        give_schema(&handle(plan, "plan")?.plan.schema, schema)
    })
}

#[no_mangle]
pub unsafe extern "C" fn weir_plan_describe(
    plan: *const WeirPlan,
    json: *mut WeirText,
    error: *mut WeirError,
) -> i32 {
    guard(error, || {
        let plan = &handle(plan, "plan")?.plan;
        let described = serde_json::json!({
            "sources": plan.sources, "deterministic": plan.deterministic, "tree": plan.tree,
            "nodes": plan.graph,
        });
        *out(json)? = WeirText::new(described.to_string().into_bytes());
        Ok(())
    })
}

#[no_mangle]
pub unsafe extern "C" fn weir_plan_node_schema(
    plan: *const WeirPlan,
    node: usize,
    schema: *mut FFI_ArrowSchema,
    error: *mut WeirError,
) -> i32 {
    guard(error, || {
        let nodes = handle(plan, "plan")?.plan.graph.as_deref();
        let node = nodes.unwrap_or_default().get(node);
        let node = node.ok_or_else(|| BridgeError::internal("no such node"))?;
        give_schema(&node.schema, schema)
    })
}

#[no_mangle]
pub unsafe extern "C" fn weir_plan_take_fragment(
    plan: *mut WeirPlan,
    branch: usize,
    fragment: *mut *mut fragment::Fragment,
    error: *mut WeirError,
) -> i32 {
    guard(error, || {
        let taken = handle_mut(plan, "plan")?
            .fragments
            .get_mut(branch)
            .and_then(Option::take);
        let taken = taken
            .ok_or_else(|| BridgeError::internal("no such fragment, or it was taken already"))?;
        *out(fragment)? = Box::into_raw(Box::new(taken));
        Ok(())
    })
}

#[no_mangle]
pub unsafe extern "C" fn weir_plan_free(plan: *mut WeirPlan) {
    free(plan)
}

#[no_mangle]
pub unsafe extern "C" fn weir_fragment_eval(
    fragment: *const fragment::Fragment,
    rows: *mut FFI_ArrowArray,
    schema: *mut FFI_ArrowSchema,
    now_us: i64,
    result: *mut FFI_ArrowArray,
    result_schema: *mut FFI_ArrowSchema,
    error: *mut WeirError,
) -> i32 {
    guard(error, || {
        if rows.is_null() || schema.is_null() {
            return Err(BridgeError::internal("rows pointer is null"));
        }
        let array = std::ptr::replace(rows, FFI_ArrowArray::empty());
        let schema = std::ptr::replace(schema, FFI_ArrowSchema::empty());
        let fragment = handle(fragment, "fragment")?;
        let data_type =
            DataType::try_from(&schema).map_err(|e| BridgeError::invalid(e.to_string()))?;
        fragment.check_input(&data_type)?;
        let mut data = from_ffi(array, &schema).map_err(|e| BridgeError::invalid(e.to_string()))?;
        // C++ aligns to 8 bytes, Rust's 128-bit decimals want 16.
        data.align_buffers();
        let batch = RecordBatch::from(StructArray::from(push_down_structs(data)));
        // A function that panics on a value is that row's failure, as an error of it is.
        let batch = caught(|| fragment.eval(batch, now_us))
            .unwrap_or_else(|panic| Err(BridgeError::invalid(panic_words(&*panic))))?;
        let output = without_masked_nulls(StructArray::from(batch).into_data());
        let (array, schema) = to_ffi(&output).map_err(|e| BridgeError::internal(e.to_string()))?;
        out(result)?;
        out(result_schema)?;
        std::ptr::write(result, array);
        std::ptr::write(result_schema, schema);
        Ok(())
    })
}

#[no_mangle]
pub unsafe extern "C" fn weir_fragment_free(fragment: *mut fragment::Fragment) {
    free(fragment)
}

// ---- Delta

#[no_mangle]
pub unsafe extern "C" fn weir_delta_open(
    uri: WeirSlice,
    options: WeirSlice,
    table: *mut *mut delta::Delta,
    error: *mut WeirError,
) -> i32 {
    guard(error, || {
        let options: HashMap<String, String> = options.json()?;
        let opened = runtime().block_on(delta::Delta::open(uri.text()?, options))?;
        *out(table)? = Box::into_raw(Box::new(opened));
        Ok(())
    })
}

#[no_mangle]
pub unsafe extern "C" fn weir_delta_create(
    uri: WeirSlice,
    options: WeirSlice,
    schema: *mut FFI_ArrowSchema,
    request: WeirSlice,
    table: *mut *mut delta::Delta,
    error: *mut WeirError,
) -> i32 {
    guard(error, || {
        let schema = take_schema(schema)?;
        let options: HashMap<String, String> = options.json()?;
        let request: delta::CreateRequest = request.json()?;
        let created =
            runtime().block_on(delta::Delta::create(uri.text()?, options, &schema, request))?;
        *out(table)? = Box::into_raw(Box::new(created));
        Ok(())
    })
}

#[no_mangle]
pub unsafe extern "C" fn weir_delta_refresh(
    table: *const delta::Delta,
    error: *mut WeirError,
) -> i32 {
    guard(error, || {
        runtime().block_on(handle(table, "table")?.refresh())
    })
}

#[no_mangle]
pub unsafe extern "C" fn weir_delta_version(
    table: *const delta::Delta,
    version: *mut i64,
    error: *mut WeirError,
) -> i32 {
    guard(error, || {
        *out(version)? = runtime().block_on(handle(table, "table")?.version())?;
        Ok(())
    })
}

#[no_mangle]
pub unsafe extern "C" fn weir_delta_schema(
    table: *const delta::Delta,
    schema: *mut FFI_ArrowSchema,
    error: *mut WeirError,
) -> i32 {
    guard(error, || {
        give_schema(
            &runtime().block_on(handle(table, "table")?.schema())?,
            schema,
        )
    })
}

#[no_mangle]
pub unsafe extern "C" fn weir_delta_partition_columns(
    table: *const delta::Delta,
    json: *mut WeirText,
    error: *mut WeirError,
) -> i32 {
    guard(error, || {
        let columns = runtime().block_on(handle(table, "table")?.partition_columns())?;
        *out(json)? = WeirText::new(serde_json::json!(columns).to_string().into_bytes());
        Ok(())
    })
}

#[no_mangle]
pub unsafe extern "C" fn weir_delta_files(
    table: *const delta::Delta,
    json: *mut WeirText,
    error: *mut WeirError,
) -> i32 {
    guard(error, || {
        let files = runtime().block_on(handle(table, "table")?.files())?;
        *out(json)? = WeirText::new(files.into_bytes());
        Ok(())
    })
}

#[no_mangle]
pub unsafe extern "C" fn weir_delta_transactions(
    table: *const delta::Delta,
    prefix: WeirSlice,
    exact: i32,
    json: *mut WeirText,
    error: *mut WeirError,
) -> i32 {
    guard(error, || {
        let prefix = prefix.text()?;
        let found = runtime().block_on(handle(table, "table")?.transactions(prefix, exact != 0))?;
        *out(json)? = WeirText::new(serde_json::json!(found).to_string().into_bytes());
        Ok(())
    })
}

#[no_mangle]
pub unsafe extern "C" fn weir_delta_commit(
    table: *const delta::Delta,
    commit: WeirSlice,
    new_schema: *mut FFI_ArrowSchema,
    version: *mut i64,
    error: *mut WeirError,
) -> i32 {
    guard(error, || {
        let new_schema = if new_schema.is_null() {
            None
        } else {
            Some(take_schema(new_schema)?)
        };
        let commit: delta::CommitRequest = commit.json()?;
        *out(version)? = runtime().block_on(handle(table, "table")?.commit(commit, new_schema))?;
        Ok(())
    })
}

#[no_mangle]
pub unsafe extern "C" fn weir_delta_free(table: *mut delta::Delta) {
    free(table)
}

// ---- objects

#[no_mangle]
pub unsafe extern "C" fn weir_objects_open(
    uri: WeirSlice,
    options: WeirSlice,
    objects: *mut *mut objects::Objects,
    error: *mut WeirError,
) -> i32 {
    guard(error, || {
        let options: HashMap<String, String> = options.json()?;
        let opened = objects::Objects::open(uri.text()?, &options)?;
        *out(objects)? = Box::into_raw(Box::new(opened));
        Ok(())
    })
}

#[no_mangle]
pub unsafe extern "C" fn weir_objects_put(
    objects: *const objects::Objects,
    path: WeirSlice,
    bytes: WeirSlice,
    if_absent: i32,
    error: *mut WeirError,
) -> i32 {
    guard(error, || {
        let objects = handle(objects, "objects")?;
        runtime().block_on(objects.put(path.text()?, bytes.bytes().to_vec(), if_absent != 0))
    })
}

#[no_mangle]
pub unsafe extern "C" fn weir_objects_get(
    objects: *const objects::Objects,
    path: WeirSlice,
    bytes: *mut WeirText,
    error: *mut WeirError,
) -> i32 {
    guard(error, || {
        let read = runtime().block_on(handle(objects, "objects")?.get(path.text()?))?;
        *out(bytes)? = WeirText::new(read);
        Ok(())
    })
}

#[no_mangle]
pub unsafe extern "C" fn weir_objects_tail(
    objects: *const objects::Objects,
    path: WeirSlice,
    most: u64,
    size: *mut i64,
    bytes: *mut WeirText,
    error: *mut WeirError,
) -> i32 {
    guard(error, || {
        let objects = handle(objects, "objects")?;
        let (length, read) = runtime().block_on(objects.tail(path.text()?, most))?;
        *out(size)? = length as i64;
        *out(bytes)? = WeirText::new(read);
        Ok(())
    })
}

#[no_mangle]
pub unsafe extern "C" fn weir_objects_list(
    objects: *const objects::Objects,
    prefix: WeirSlice,
    json: *mut WeirText,
    error: *mut WeirError,
) -> i32 {
    guard(error, || {
        let paths = runtime().block_on(handle(objects, "objects")?.list(prefix.text()?))?;
        *out(json)? = WeirText::new(serde_json::json!(paths).to_string().into_bytes());
        Ok(())
    })
}

#[no_mangle]
pub unsafe extern "C" fn weir_objects_remove(
    objects: *const objects::Objects,
    path: WeirSlice,
    error: *mut WeirError,
) -> i32 {
    guard(error, || {
        runtime().block_on(handle(objects, "objects")?.remove(path.text()?))
    })
}

#[no_mangle]
pub unsafe extern "C" fn weir_objects_writer(
    objects: *const objects::Objects,
    path: WeirSlice,
    writer: *mut *mut objects::Writer,
    error: *mut WeirError,
) -> i32 {
    guard(error, || {
        let opened = handle(objects, "objects")?.writer(path.text()?)?;
        *out(writer)? = Box::into_raw(Box::new(opened));
        Ok(())
    })
}

#[no_mangle]
pub unsafe extern "C" fn weir_objects_free(objects: *mut objects::Objects) {
    free(objects)
}

#[no_mangle]
pub unsafe extern "C" fn weir_writer_write(
    writer: *mut objects::Writer,
    bytes: WeirSlice,
    error: *mut WeirError,
) -> i32 {
    guard(error, || {
        runtime().block_on(handle_mut(writer, "writer")?.write(bytes.bytes()))
    })
}

#[no_mangle]
pub unsafe extern "C" fn weir_writer_close(
    writer: *mut objects::Writer,
    error: *mut WeirError,
) -> i32 {
    guard(error, || {
        runtime().block_on(handle_mut(writer, "writer")?.close())
    })
}

#[no_mangle]
pub unsafe extern "C" fn weir_writer_free(writer: *mut objects::Writer) {
    if let Some(open) = writer.as_mut() {
        let _ = caught(|| runtime().block_on(open.abandon()));
    }
    free(writer)
}

// ---- queries

#[no_mangle]
pub unsafe extern "C" fn weir_query(
    tables: WeirSlice,
    sql: WeirSlice,
    stream: *mut FFI_ArrowArrayStream,
    error: *mut WeirError,
) -> i32 {
    guard(error, || {
        out(stream)?;
        let tables: Vec<query::Table> = tables.json()?;
        let reader = query::run(tables, sql.text()?)?;
        std::ptr::write(stream, FFI_ArrowArrayStream::new(Box::new(reader)));
        Ok(())
    })
}

#[no_mangle]
pub unsafe extern "C" fn weir_scalar_functions(json: *mut WeirText, error: *mut WeirError) -> i32 {
    guard(error, || {
        *out(json)? = WeirText::new(
            serde_json::json!(plan::scalar_functions())
                .to_string()
                .into_bytes(),
        );
        Ok(())
    })
}
