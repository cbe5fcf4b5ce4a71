//! Which columns keep time: the event-time column of a table passed on unchanged, a processing-time column, the start,
//! end or time of a window. Told from a logical plan alone, before and after it is optimised.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{plan_err, Column, DFSchemaRef, Result};
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNodeCore};

use crate::join_kind::{JoinKind, Sides};
use crate::lookup::Lookup;
use crate::window_tvf::WindowTvf;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    Start,
    End,
    Time,
}

/// One assignment of windows: columns of equal ids name the same window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WindowOf {
    pub id: u64,
    pub tick_us: i64,
    pub processing: bool,
    pub session: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trait {
    Plain,
    EventTime { tick_us: i64 },
    ProcessingTime,
    Window(Part, WindowOf),
}

impl Trait {
    /// Event time that no later row will be at or below the watermark of.
    pub fn keeps_event_time(self) -> Option<i64> {
        match self {
            Trait::EventTime { tick_us } => Some(tick_us),
            Trait::Window(Part::End | Part::Time, window) if !window.processing => Some(1000),
            _ => None,
        }
    }
}

/// Least difference between two times of a type; None: it is no time of events.
pub fn tick_us(kind: &DataType) -> Option<i64> {
    match kind {
        DataType::Timestamp(TimeUnit::Second | TimeUnit::Millisecond, _) => Some(1000),
        DataType::Timestamp(TimeUnit::Microsecond, _) => Some(1),
        _ => None,
    }
}

// ---- the mark of a table's event-time column, which optimisation leaves in place

#[derive(Debug, Clone)]
pub struct EventTimeMark {
    pub input: Arc<LogicalPlan>,
    pub column: Column,
}

impl EventTimeMark {
    pub fn of(plan: &LogicalPlan) -> Option<&EventTimeMark> {
        match plan {
            LogicalPlan::Extension(extension) => extension.node.as_any().downcast_ref(),
            _ => None,
        }
    }
    /// None: nobody reads it any more.
    pub fn position(&self) -> Option<usize> {
        self.input.schema().index_of_column(&self.column).ok()
    }
}

impl PartialEq for EventTimeMark {
    fn eq(&self, other: &Self) -> bool {
        self.input == other.input && self.column == other.column
    }
}
impl Eq for EventTimeMark {}
impl Hash for EventTimeMark {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.input.hash(state);
        self.column.hash(state);
    }
}
impl PartialOrd for EventTimeMark {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for EventTimeMark {
    fn name(&self) -> &str {
        "EventTime"
    }
    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }
    fn schema(&self) -> &DFSchemaRef {
        self.input.schema()
    }
    fn expressions(&self) -> Vec<Expr> {
        vec![]
    }
    fn prevent_predicate_push_down_columns(&self) -> HashSet<String> {
        HashSet::new()
    }
    fn fmt_for_explain(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "EventTime: {}", self.column)
    }
    fn with_exprs_and_inputs(&self, _: Vec<Expr>, mut inputs: Vec<LogicalPlan>) -> Result<Self> {
        match inputs.pop() {
            Some(input) => Ok(EventTimeMark {
                input: Arc::new(input),
                column: self.column.clone(),
            }),
            None => plan_err!("an event-time mark has one input"),
        }
    }
    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        Some(vec![output_columns.to_vec()])
    }
}

// ---- traits

pub fn traits(plan: &LogicalPlan) -> Result<Vec<Trait>> {
    let width = plan.schema().fields().len();
    Ok(match plan {
        LogicalPlan::Projection(projection) => {
            let below = traits(&projection.input)?;
            let schema = projection.input.schema();
            let mut found = Vec::with_capacity(width);
            for expression in &projection.expr {
                found.push(trait_of(expression, schema, &below));
            }
            found
        }
        LogicalPlan::Filter(filter) => traits(&filter.input)?,
        LogicalPlan::SubqueryAlias(alias) => traits(&alias.input)?,
        LogicalPlan::Unnest(unnest) => {
            let below = traits(&unnest.input)?;
            let exploded: HashSet<usize> = unnest
                .list_type_columns
                .iter()
                .map(|(index, _)| *index)
                .chain(unnest.struct_type_columns.iter().copied())
                .collect();
            unnest
                .dependency_indices
                .iter()
                .map(|index| match exploded.contains(index) {
                    true => Trait::Plain,
                    false => below[*index],
                })
                .collect()
        }
        LogicalPlan::Union(union) => of_union(union)?,
        LogicalPlan::Aggregate(aggregate) => {
            let below = traits(&aggregate.input)?;
            let schema = aggregate.input.schema();
            let keys: Vec<Trait> = aggregate
                .group_expr
                .iter()
                .map(|key| trait_of(key, schema, &below))
                .collect();
            let mut found = vec![Trait::Plain; width];
            if let Grouping::Window(window) = grouping(&keys) {
                for (index, key) in keys.iter().enumerate() {
                    if matches!(key, Trait::Window(_, of) if of.id == window.id) {
                        found[index] = *key;
                    }
                }
            }
            found
        }
        LogicalPlan::Window(window) => {
            let mut found: Vec<Trait> = traits(&window.input)?
                .into_iter()
                .map(|column| match column {
                    Trait::Window(..) => column,
                    _ => Trait::Plain,
                })
                .collect();
            found.resize(width, Trait::Plain);
            found
        }
        LogicalPlan::Join(join) => of_join(join)?,
        LogicalPlan::TableScan(scan) => match scan.source.get_logical_plan() {
            Some(view) if scan.projection.is_none() => traits(&view)?,
            _ => vec![Trait::Plain; width],
        },
        other => {
            if let Some(tvf) = WindowTvf::of(other) {
                return of_window(tvf);
            }
            if let Some(mark) = EventTimeMark::of(other) {
                let mut found = traits(&mark.input)?;
                if let Some(position) = mark.position() {
                    let kind = mark.input.schema().field(position).data_type();
                    if let Some(tick_us) = tick_us(kind) {
                        found[position] = Trait::EventTime { tick_us };
                    }
                }
                return Ok(found);
            }
            vec![Trait::Plain; width]
        }
    })
}

fn trait_of(expression: &Expr, schema: &DFSchemaRef, below: &[Trait]) -> Trait {
    match expression {
        Expr::Alias(alias) => trait_of(&alias.expr, schema, below),
        Expr::Column(column) => schema
            .index_of_column(column)
            .map_or(Trait::Plain, |index| below[index]),
        Expr::ScalarFunction(call) if call.func.name() == "proctime" => Trait::ProcessingTime,
        _ => Trait::Plain,
    }
}

fn of_window(tvf: &WindowTvf) -> Result<Vec<Trait>> {
    let mut found = traits(&tvf.input)?;
    let time = tvf.column(&tvf.time)?;
    let window = WindowOf {
        id: tvf.id(),
        tick_us: found[time].keeps_event_time().unwrap_or(1000),
        processing: found[time] == Trait::ProcessingTime,
        session: tvf.shape.assigner == crate::window_tvf::Assigner::Session,
    };
    for part in [Part::Start, Part::End, Part::Time] {
        found.push(Trait::Window(part, window));
    }
    Ok(found)
}

fn of_union(union: &datafusion::logical_expr::Union) -> Result<Vec<Trait>> {
    let inputs = union
        .inputs
        .iter()
        .map(|input| traits(input))
        .collect::<Result<Vec<_>>>()?;
    let Some(first) = inputs.first() else {
        return Ok(vec![]);
    };
    let mut found = first.clone();
    for (column, kept) in found.iter_mut().enumerate() {
        for other in &inputs[1..] {
            *kept = match (*kept, other[column]) {
                (left, right) if left == right => left,
                (Trait::EventTime { tick_us: left }, Trait::EventTime { tick_us: right }) => {
                    Trait::EventTime {
                        tick_us: left.min(right),
                    }
                }
                (Trait::Window(part, left), Trait::Window(other, right))
                    if part == other && left.processing == right.processing =>
                {
                    // Associative, so that start and end of several inputs come to one id.
                    let id = left.id.wrapping_mul(31).wrapping_add(right.id);
                    let tick_us = left.tick_us.min(right.tick_us);
                    let session = left.session || right.session;
                    Trait::Window(
                        part,
                        WindowOf {
                            id,
                            tick_us,
                            session,
                            ..left
                        },
                    )
                }
                _ => Trait::Plain,
            };
        }
    }
    Ok(found)
}

fn of_join(join: &datafusion::logical_expr::Join) -> Result<Vec<Trait>> {
    let left = traits(&join.left)?;
    let right = traits(&join.right)?;
    let width = join.schema.fields().len();
    if Lookup::below(&join.right).is_some() {
        let mut found = left;
        found.resize(width, Trait::Plain);
        return Ok(found);
    }
    let mut found = vec![Trait::Plain; width];
    let offset = left.len();
    let sides = Sides::of(join, left, right)?;
    match sides.kind()? {
        JoinKind::Window { window, .. } => {
            for (index, column) in sides.left.iter().enumerate() {
                if matches!(column, Trait::Window(_, of) if of.id == window.id) {
                    found[index] = *column;
                }
            }
            let right_id = sides.right_window;
            for (index, column) in sides.right.iter().enumerate() {
                if let Trait::Window(part, of) = column {
                    if Some(of.id) == right_id {
                        found[offset + index] = Trait::Window(*part, window);
                    }
                }
            }
        }
        JoinKind::Interval(bounds) => {
            for (position, column) in [
                (bounds.left_time, sides.left[bounds.left_time]),
                (offset + bounds.right_time, sides.right[bounds.right_time]),
            ] {
                if let Some(tick_us) = column.keeps_event_time() {
                    found[position] = Trait::EventTime { tick_us };
                }
            }
        }
        JoinKind::Regular => {}
    }
    Ok(found)
}

/// How rows come to groups.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Grouping {
    Window(WindowOf),
    /// Only the start or only the end of a window is among the keys.
    HalfWindow(Part),
    Unbounded,
}

pub fn grouping(keys: &[Trait]) -> Grouping {
    let mut half = None;
    for key in keys {
        let Trait::Window(part, window) = *key else {
            continue;
        };
        let has = |wanted: Part| {
            keys.iter()
                .any(|k| matches!(k, Trait::Window(p, w) if *p == wanted && w.id == window.id))
        };
        if has(Part::Start) && has(Part::End) {
            return Grouping::Window(window);
        }
        half = Some(part);
    }
    half.map_or(Grouping::Unbounded, Grouping::HalfWindow)
}

// ---- DESCRIPTOR

/// Words for a column that keeps no time; Ok where only optimisation will tell.
pub fn check_descriptor(input: &LogicalPlan, column: &Expr) -> std::result::Result<(), String> {
    let Expr::Column(name) = column else {
        return Ok(());
    };
    let Ok(index) = input.schema().index_of_column(name) else {
        return Ok(());
    };
    let kind = input.schema().field(index).data_type();
    let Ok(found) = traits(input) else {
        return Ok(());
    };
    if descriptor_kind(found[index]).is_some() || has_join(input) {
        return Ok(());
    }
    Err(no_time_words(&name.name, kind, input, &found))
}

pub fn no_time_words(name: &str, kind: &DataType, input: &LogicalPlan, found: &[Trait]) -> String {
    let mut words = format!("'{name}' is no time attribute");
    if !matches!(kind, DataType::Timestamp(..)) {
        words += &format!(": it is {}", crate::widen::sql_type(kind));
    }
    let times: Vec<String> = found
        .iter()
        .zip(input.schema().fields())
        .filter(|(column, _)| descriptor_kind(**column).is_some())
        .map(|(_, field)| format!("'{}'", field.name()))
        .collect();
    if times.is_empty() {
        words + "; this table has none: declare WATERMARK FOR a TIMESTAMP(3) column of the source, or a \
                 column AS PROCTIME(), and pass it on unchanged"
    } else {
        words + &format!("; the time attribute here is {}", times.join(" or "))
    }
}

/// Whether windows can be made by a column: Some(processing time?).
pub fn descriptor_kind(column: Trait) -> Option<bool> {
    match column {
        Trait::EventTime { .. } => Some(false),
        Trait::ProcessingTime => Some(true),
        Trait::Window(Part::Time, window) if !window.processing => Some(false),
        _ => None,
    }
}

fn has_join(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::Join(_)) || plan.inputs().into_iter().any(has_join)
}
