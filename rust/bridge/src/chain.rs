//! Stateless work between two nodes of a graph: steps that are kept as expressions until it is known who reads them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::common::{plan_err, DFSchema, DFSchemaRef, Result, TableReference};
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, Unnest};
use datafusion::physical_expr::expressions::{CastExpr, Column as PhysicalColumn};
use datafusion::physical_plan::PhysicalExpr;

use crate::fragment::Step;
use crate::plan::ROW;
use crate::tree::show;
use crate::window_tvf::WindowShape;

#[derive(Clone)]
pub enum Work {
    /// Columns by index, under the names of the schema.
    Select(Vec<usize>, DFSchemaRef),
    Filter(Expr),
    Project(Vec<Expr>, DFSchemaRef),
    Unnest(Unnest),
    /// Rows of the windows of `time`; `id` tells the window apart.
    Window {
        shape: WindowShape,
        time: usize,
        partition: Vec<usize>,
        id: u64,
        schema: DFSchemaRef,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub enum Base {
    Source(String),
    Node(usize),
}

#[derive(Clone)]
pub struct Chain {
    pub base: Base,
    /// Types of the base's columns, without ROW.
    pub physical: Vec<DataType>,
    pub steps: Vec<Work>,
    pub schema: DFSchemaRef,
}

/// A window whose rows a window aggregate will tell apart by itself.
pub struct Fusible {
    pub position: usize,
    pub shape: WindowShape,
    /// The partition, as columns of the chain's end; None: gone.
    pub partition: Vec<Option<usize>>,
    /// The window's columns at the chain's end.
    pub columns: HashSet<usize>,
}

impl Chain {
    pub fn push(&mut self, work: Work) {
        match &work {
            Work::Select(_, schema) | Work::Project(_, schema) => self.schema = schema.clone(),
            Work::Window { schema, .. } => self.schema = schema.clone(),
            Work::Unnest(unnest) => self.schema = unnest.schema.clone(),
            Work::Filter(_) => {}
        }
        self.steps.push(work);
    }

    /// Equal for chains that do the same.
    pub fn key(&self) -> String {
        let mut text = format!("{:?}", self.base);
        for step in &self.steps {
            text += &match step {
                Work::Select(columns, schema) => {
                    let names: Vec<&str> =
                        schema.fields().iter().map(|f| f.name().as_str()).collect();
                    format!("|select {columns:?} as {names:?}")
                }
                Work::Filter(predicate) => format!("|filter {predicate}"),
                Work::Project(expressions, _) => format!("|project {}", listed(expressions)),
                Work::Unnest(unnest) => format!(
                    "|unnest {:?} {:?} {:?}",
                    unnest.list_type_columns, unnest.struct_type_columns, unnest.options
                ),
                Work::Window {
                    shape,
                    time,
                    partition,
                    ..
                } => format!("|window {shape:?} {time} {partition:?}"),
            };
        }
        text
    }

    /// For a chain that only picks columns: which of the base's they are.
    pub fn picks(&self) -> Option<Vec<usize>> {
        let mut current: Vec<usize> = (0..self.physical.len()).collect();
        let mut schema: Option<DFSchemaRef> = None;
        for step in &self.steps {
            match step {
                Work::Select(columns, after) => {
                    current = columns.iter().map(|c| current[*c]).collect();
                    schema = Some(after.clone());
                }
                Work::Project(expressions, after) => {
                    let before = schema.as_ref()?;
                    let mut next = Vec::with_capacity(expressions.len());
                    for expression in expressions {
                        next.push(current[column_of(expression, before)?]);
                    }
                    current = next;
                    schema = Some(after.clone());
                }
                _ => return None,
            }
        }
        Some(current)
    }

    /// Whether the window `id`'s columns are only passed on from its step, and where time and partition went.
    pub fn fusible(&self, id: u64) -> Option<Fusible> {
        let position = self
            .steps
            .iter()
            .position(|step| matches!(step, Work::Window { id: found, .. } if *found == id))?;
        let Work::Window {
            shape,
            partition,
            schema,
            ..
        } = &self.steps[position]
        else {
            return None;
        };
        let count = schema.fields().len();
        let mut window: HashSet<usize> = (count - 3..count).collect();
        let mut kept: Vec<Option<usize>> = partition.iter().map(|c| Some(*c)).collect();
        let mut schema = schema.clone();
        for step in &self.steps[position + 1..] {
            let touches = |expression: &Expr| {
                expression.column_refs().iter().any(|column| {
                    schema
                        .index_of_column(column)
                        .map_or(true, |index| window.contains(&index))
                })
            };
            // Where each column of before is after the step.
            let moved: Vec<Option<usize>> = match step {
                Work::Select(columns, _) => columns.iter().map(|c| Some(*c)).collect(),
                Work::Filter(predicate) => {
                    if touches(predicate) {
                        return None;
                    }
                    continue;
                }
                Work::Project(expressions, _) => {
                    let mut moved = Vec::with_capacity(expressions.len());
                    for expression in expressions {
                        let column = column_of(expression, &schema);
                        if column.is_none() && touches(expression) {
                            return None;
                        }
                        moved.push(column);
                    }
                    moved
                }
                Work::Unnest(unnest) => unnest
                    .dependency_indices
                    .iter()
                    .map(|index| Some(*index))
                    .collect(),
                Work::Window {
                    schema: after,
                    time,
                    ..
                } => {
                    if window.contains(time) {
                        return None;
                    }
                    schema = after.clone();
                    continue;
                }
            };
            window = moved
                .iter()
                .enumerate()
                .filter(|(_, from)| from.is_some_and(|from| window.contains(&from)))
                .map(|(to, _)| to)
                .collect();
            for column in &mut kept {
                *column = column.and_then(|old| moved.iter().position(|from| *from == Some(old)));
            }
            schema = match step {
                Work::Select(_, after) | Work::Project(_, after) => after.clone(),
                Work::Unnest(unnest) => unnest.schema.clone(),
                _ => schema,
            };
        }
        Some(Fusible {
            position,
            shape: *shape,
            partition: kept,
            columns: window,
        })
    }

    /// The same rows with the time column of their windows behind the others, as `CARRIED`. None: a step on the way
    /// does not let it pass, or there is no window.
    pub fn carrying_time(&self, id: u64) -> Option<Chain> {
        let is_window = |step: &Work| matches!(step, Work::Window { .. });
        let position = self
            .steps
            .iter()
            .position(|step| matches!(step, Work::Window { id: found, .. } if *found == id))
            .or_else(|| self.steps.iter().rposition(is_window))?;
        let Work::Window { time, schema, .. } = &self.steps[position] else {
            return None;
        };
        let mut chain = self.clone();
        let rest = chain.steps.split_off(position + 1);
        chain.schema = schema.clone();
        let carried = Expr::Column(datafusion::common::Column::new(Some(CARRIED), "time"));
        let mut columns: Vec<usize> = (0..schema.fields().len()).collect();
        columns.push(*time);
        let kind = schema.field(*time).data_type().clone();
        chain.push(Work::Select(columns, with_carried(schema, &kind)?));
        for step in rest {
            chain.push(match step {
                Work::Select(mut columns, after) => {
                    columns.push(chain.schema.fields().len() - 1);
                    Work::Select(columns, with_carried(&after, &kind)?)
                }
                Work::Project(mut expressions, after) => {
                    expressions.push(carried.clone());
                    Work::Project(expressions, with_carried(&after, &kind)?)
                }
                Work::Filter(predicate) => Work::Filter(predicate),
                Work::Unnest(_) | Work::Window { .. } => return None,
            });
        }
        Some(chain)
    }

    /// The steps as DataFusion evaluates them; `fused`: the window step that only holds its columns' places.
    pub fn compile(&self, state: &SessionState, fused: Option<usize>) -> Result<Vec<Step>> {
        let mut steps = Vec::new();
        let mut physical = self.physical.clone();
        let mut schema: Option<DFSchemaRef> = None;
        for (position, work) in self.steps.iter().enumerate() {
            match work {
                Work::Select(columns, after) => {
                    let identity = columns.len() == physical.len()
                        && columns.iter().enumerate().all(|(i, c)| i == *c);
                    if !identity {
                        let mut indices = columns.clone();
                        indices.push(physical.len());
                        steps.push(Step::Select(indices));
                        physical = columns.iter().map(|c| physical[*c].clone()).collect();
                    }
                    if schema.is_none() {
                        cast_back(&mut steps, &mut physical, after)?;
                    }
                    schema = Some(df_with_row(after)?);
                }
                Work::Filter(predicate) => {
                    let before = known(&schema)?;
                    steps.push(Step::Filter(
                        state.create_physical_expr(predicate.clone(), before)?,
                    ));
                }
                Work::Project(expressions, after) => {
                    let before = known(&schema)?.clone();
                    let mut kinds = physical.clone();
                    kinds.push(DataType::Int32);
                    let arrow = arrow_of(&before, &kinds);
                    let mut compiled = Vec::with_capacity(expressions.len() + 1);
                    for expression in expressions {
                        compiled.push(state.create_physical_expr(expression.clone(), &before)?);
                    }
                    let row = Expr::Column(datafusion::common::Column::new_unqualified(ROW));
                    compiled.push(state.create_physical_expr(row, &before)?);
                    let after = df_with_row(after)?;
                    let mut fields = Vec::new();
                    for (expression, field) in compiled.iter().zip(after.fields()) {
                        let kind = expression.data_type(&arrow)?;
                        fields.push(Field::new(field.name(), kind, true));
                    }
                    physical = fields[..expressions.len()]
                        .iter()
                        .map(|f| f.data_type().clone())
                        .collect();
                    steps.push(Step::Project(compiled, Arc::new(Schema::new(fields))));
                    schema = Some(after);
                }
                Work::Unnest(unnest) => {
                    let before = known(&schema)?.clone();
                    let after = df_with_row(&unnest.schema)?;
                    steps.push(crate::plan::unnest_step(unnest, &before, &after, &physical));
                    physical = crate::plan::unnested_types(unnest, &physical);
                    schema = Some(after);
                }
                Work::Window {
                    shape,
                    time,
                    schema: after,
                    ..
                } => {
                    let place_holders = fused == Some(position);
                    let kind = match place_holders {
                        true => DataType::Null,
                        false => crate::window_tvf::window_type(),
                    };
                    physical.extend([kind.clone(), kind.clone(), kind]);
                    let after = df_with_row(after)?;
                    let mut kinds = physical.clone();
                    kinds.push(DataType::Int32);
                    let schema_after = Arc::new(arrow_of(&after, &kinds));
                    steps.push(match place_holders {
                        true => Step::PlaceHolders(schema_after),
                        false => Step::Windows {
                            shape: *shape,
                            time: *time,
                            schema: schema_after,
                        },
                    });
                    schema = Some(after);
                }
            }
        }
        Ok(steps)
    }
}

/// The qualifier of a time column that is carried along.
pub const CARRIED: &str = "_weir_window";

pub fn with_carried(schema: &DFSchema, kind: &DataType) -> Option<DFSchemaRef> {
    let mut fields: Vec<(Option<TableReference>, FieldRef)> = schema
        .iter()
        .map(|(qualifier, field)| (qualifier.cloned(), field.clone()))
        .collect();
    let field = Field::new("time", kind.clone(), true);
    fields.push((Some(TableReference::bare(CARRIED)), Arc::new(field)));
    DFSchema::new_with_metadata(fields, HashMap::new())
        .ok()
        .map(Arc::new)
}

fn known(schema: &Option<DFSchemaRef>) -> Result<&DFSchemaRef> {
    match schema {
        Some(schema) => Ok(schema),
        None => plan_err!("a chain begins with the columns of its base"),
    }
}

/// The columns as they lie in batches.
fn arrow_of(schema: &DFSchema, physical: &[DataType]) -> Schema {
    let fields: Vec<Field> = schema
        .fields()
        .iter()
        .enumerate()
        .map(|(index, field)| {
            let kind = physical.get(index).unwrap_or(field.data_type());
            Field::new(field.name(), kind.clone(), true)
        })
        .collect();
    Schema::new(fields)
}

/// Types that a node's columns do not have (unsigned ones, views), as the expressions behind it expect them.
fn cast_back(steps: &mut Vec<Step>, physical: &mut [DataType], after: &DFSchemaRef) -> Result<()> {
    let wanted: Vec<DataType> = after
        .fields()
        .iter()
        .map(|f| f.data_type().clone())
        .collect();
    if wanted == *physical {
        return Ok(());
    }
    let mut expressions: Vec<Arc<dyn PhysicalExpr>> = Vec::new();
    let mut fields = Vec::new();
    for (index, (from, to)) in physical.iter().zip(&wanted).enumerate() {
        let name = after.field(index).name();
        let column: Arc<dyn PhysicalExpr> = Arc::new(PhysicalColumn::new(name, index));
        expressions.push(match from == to {
            true => column,
            false => Arc::new(CastExpr::new(column, to.clone(), None)),
        });
        fields.push(Field::new(name, to.clone(), true));
    }
    expressions.push(Arc::new(PhysicalColumn::new(ROW, physical.len())));
    fields.push(Field::new(ROW, DataType::Int32, true));
    physical.clone_from_slice(&wanted);
    steps.push(Step::Project(expressions, Arc::new(Schema::new(fields))));
    Ok(())
}

pub fn column_of(expression: &Expr, schema: &DFSchema) -> Option<usize> {
    match expression {
        Expr::Alias(alias) => column_of(&alias.expr, schema),
        Expr::Column(column) => schema.index_of_column(column).ok(),
        _ => None,
    }
}

/// With the names that later steps call them by.
fn listed(expressions: &[Expr]) -> String {
    let texts: Vec<String> = expressions.iter().map(|e| e.to_string()).collect();
    texts.join(", ")
}

pub fn df_with_row(schema: &DFSchema) -> Result<DFSchemaRef> {
    let mut fields: Vec<(Option<TableReference>, FieldRef)> = schema
        .iter()
        .map(|(qualifier, field)| (qualifier.cloned(), field.clone()))
        .collect();
    fields.push((None, Arc::new(Field::new(ROW, DataType::Int32, true))));
    Ok(Arc::new(DFSchema::new_with_metadata(
        fields,
        HashMap::new(),
    )?))
}

pub fn with_row(schema: &SchemaRef) -> SchemaRef {
    let mut fields: Vec<FieldRef> = schema.fields().iter().cloned().collect();
    fields.push(Arc::new(Field::new(ROW, DataType::Int32, false)));
    Arc::new(Schema::new(fields))
}

/// "filter: a > 1; project: a, b"
pub fn describe(steps: &[Work]) -> Vec<(&'static str, String)> {
    steps
        .iter()
        .filter_map(|step| match step {
            Work::Select(..) => None,
            Work::Filter(predicate) => Some(("filter", show(predicate))),
            Work::Project(expressions, _) => Some((
                "project",
                expressions.iter().map(show).collect::<Vec<_>>().join(", "),
            )),
            Work::Unnest(unnest) => Some((
                "unnest",
                unnest
                    .exec_columns
                    .iter()
                    .map(|c| c.name.clone())
                    .collect::<Vec<_>>()
                    .join(", "),
            )),
            Work::Window { shape, .. } => Some(("window", shape.to_string())),
        })
        .collect()
}
