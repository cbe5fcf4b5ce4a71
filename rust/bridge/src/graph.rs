//! A logical plan with state -> the graph of src/bridge/stream_graph.h.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::{plan_err, DFSchema, DFSchemaRef, Result};
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, TableScan};
use serde::Serialize;

use crate::chain::{with_row, Base, Chain, Work};
use crate::fragment::Fragment;
use crate::times::{traits, EventTimeMark};
use crate::widen::signed;
use crate::window_tvf::{WindowShape, WindowTvf};

#[derive(Serialize, Clone, Debug)]
pub struct Window {
    pub assigner: &'static str,
    pub size_us: i64,
    pub slide_us: i64,
    pub gap_us: i64,
    pub offset_us: i64,
    pub time_column: i64,
    pub start_column: i64,
    pub end_column: i64,
    pub processing_time: bool,
    pub tick_us: i64,
}

impl Window {
    pub fn attached(start: usize, end: usize, tick_us: i64, processing_time: bool) -> Self {
        Window {
            assigner: "attached",
            size_us: 0,
            slide_us: 0,
            gap_us: 0,
            offset_us: 0,
            time_column: -1,
            start_column: start as i64,
            end_column: end as i64,
            processing_time,
            tick_us,
        }
    }
    pub fn assigned(
        shape: &WindowShape,
        time: Option<usize>,
        tick_us: i64,
        processing_time: bool,
    ) -> Self {
        let session = shape.assigner == crate::window_tvf::Assigner::Session;
        Window {
            assigner: shape.assigner.name(),
            size_us: if session { 0 } else { shape.size_us },
            slide_us: shape.slide_us,
            gap_us: if session { shape.size_us } else { 0 },
            offset_us: shape.offset_us,
            time_column: time.map_or(-1, |t| t as i64),
            start_column: -1,
            end_column: -1,
            processing_time,
            tick_us,
        }
    }
}

#[derive(Serialize, Clone, Debug)]
pub struct Call {
    pub function: &'static str,
    pub arguments: Vec<usize>,
    pub filter: i64,
    pub distinct: bool,
    pub separator: String,
}

#[derive(Serialize, Clone, Debug)]
pub struct SortColumn {
    pub column: usize,
    pub descending: bool,
    pub nulls_first: bool,
}

#[derive(Serialize, Clone, Debug)]
pub struct Node {
    pub kind: &'static str,
    pub inputs: Vec<usize>,
    #[serde(skip)]
    pub schema: SchemaRef,
    pub changelog: bool,
    pub detail: String,
    pub source: String,
    pub fragment: i64,
    pub window: Option<Window>,
    pub right_window: Option<Window>,
    pub keys: Vec<usize>,
    pub window_columns: Vec<&'static str>,
    pub aggregates: Vec<Call>,
    pub left_keys: Vec<usize>,
    pub right_keys: Vec<usize>,
    pub condition: i64,
    pub left_time: i64,
    pub right_time: i64,
    pub lower_us: i64,
    pub upper_us: i64,
    pub left_outer: bool,
    pub order: Vec<SortColumn>,
    pub limit: i64,
    pub with_rank: bool,
    pub timed: bool,
    pub late_hold_us: i64,
    pub late_by_window: bool,
    pub time_column: i64,
    pub unbounded: String,
    pub line: i32,
    pub column: i32,
    /// What the fragment does, for explain: kind and words, from the input on.
    #[serde(skip)]
    pub work: Vec<(&'static str, String)>,
    /// For each column the scans' columns that it is passed on from.
    #[serde(skip)]
    origins: Vec<Vec<(usize, usize)>>,
}

impl Node {
    pub fn new(kind: &'static str, inputs: Vec<usize>, schema: SchemaRef) -> Self {
        let origins = vec![vec![]; schema.fields().len()];
        Node {
            kind,
            inputs,
            schema,
            changelog: false,
            detail: String::new(),
            source: String::new(),
            fragment: -1,
            window: None,
            right_window: None,
            keys: vec![],
            window_columns: vec![],
            aggregates: vec![],
            left_keys: vec![],
            right_keys: vec![],
            condition: -1,
            left_time: -1,
            right_time: -1,
            lower_us: 0,
            upper_us: 0,
            left_outer: false,
            order: vec![],
            limit: 0,
            with_rank: false,
            timed: false,
            late_hold_us: 0,
            late_by_window: false,
            time_column: -1,
            unbounded: String::new(),
            line: 0,
            column: 0,
            work: vec![],
            origins,
        }
    }
}

/// Rows on their way: one chain, or several of a UNION ALL.
#[derive(Clone)]
pub struct Rel {
    pub chains: Vec<Chain>,
    pub schema: DFSchemaRef,
    pub changelog: bool,
}

impl Rel {
    pub fn push(&mut self, work: Work) {
        for chain in &mut self.chains {
            chain.push(work.clone());
        }
        match &work {
            Work::Select(_, schema) | Work::Project(_, schema) => self.schema = schema.clone(),
            Work::Window { schema, .. } => self.schema = schema.clone(),
            Work::Unnest(unnest) => self.schema = unnest.schema.clone(),
            Work::Filter(_) => {}
        }
    }
    /// With the time column of the window `id` as last one, and that column.
    pub fn carrying_time(&self, id: u64) -> Option<(Rel, Expr)> {
        let chains = self
            .chains
            .iter()
            .map(|chain| chain.carrying_time(id))
            .collect::<Option<Vec<_>>>()?;
        let schema = chains.first()?.schema.clone();
        let time = Expr::Column(schema.columns().pop()?);
        let rel = Rel {
            chains,
            schema,
            changelog: self.changelog,
        };
        Some((rel, time))
    }
    /// Some of it comes right from a source.
    pub fn from_source(&self) -> bool {
        let is_source = |chain: &Chain| matches!(chain.base, Base::Source(_));
        self.chains.iter().any(is_source)
    }
    pub fn key(&self) -> String {
        let keys: Vec<String> = self.chains.iter().map(Chain::key).collect();
        keys.join(" + ")
    }
}

/// What a node reads: another node, and where each wanted expression is among its columns.
pub struct Input {
    pub node: usize,
    pub columns: Vec<usize>,
}

/// Tables that the planner knows, by name.
pub struct Inputs {
    pub schemas: HashMap<String, SchemaRef>,
    pub changelogs: Vec<String>,
}

pub struct Builder<'a> {
    pub state: &'a SessionState,
    pub inputs: &'a Inputs,
    /// For places of what is refused.
    pub text: &'a str,
    pub nodes: Vec<Node>,
    pub fragments: Vec<Fragment>,
    made: HashMap<String, usize>,
}

impl<'a> Builder<'a> {
    pub fn new(state: &'a SessionState, inputs: &'a Inputs, text: &'a str) -> Self {
        Builder {
            state,
            inputs,
            text,
            nodes: vec![],
            fragments: vec![],
            made: HashMap::new(),
        }
    }

    pub fn build(&mut self, plan: &LogicalPlan) -> Result<Rel> {
        match plan {
            LogicalPlan::TableScan(scan) => self.scan(scan),
            LogicalPlan::EmptyRelation(empty) => Ok(Rel {
                chains: vec![],
                schema: empty.schema.clone(),
                changelog: false,
            }),
            LogicalPlan::Union(union) => {
                let mut all = Rel {
                    chains: vec![],
                    schema: union.schema.clone(),
                    changelog: false,
                };
                for input in &union.inputs {
                    let mut rel = self.build(input)?;
                    let columns = (0..union.schema.fields().len()).collect();
                    rel.push(Work::Select(columns, union.schema.clone()));
                    all.chains.extend(rel.chains);
                    all.changelog |= rel.changelog;
                }
                Ok(all)
            }
            LogicalPlan::SubqueryAlias(alias) => {
                let mut rel = self.build(&alias.input)?;
                let columns = (0..alias.schema.fields().len()).collect();
                rel.push(Work::Select(columns, alias.schema.clone()));
                Ok(rel)
            }
            LogicalPlan::Filter(filter) => {
                if let Some(rel) = self.top_n(filter, None)? {
                    return Ok(rel);
                }
                let mut rel = self.build(&filter.input)?;
                rel.push(Work::Filter(filter.predicate.clone()));
                Ok(rel)
            }
            LogicalPlan::Projection(projection) => {
                let mut rel = match projection.input.as_ref() {
                    LogicalPlan::Filter(filter) => {
                        match self.top_n(filter, Some(&projection.expr))? {
                            Some(rel) => rel,
                            None => self.build(&projection.input)?,
                        }
                    }
                    other => self.build(other)?,
                };
                rel.push(Work::Project(
                    projection.expr.clone(),
                    projection.schema.clone(),
                ));
                Ok(rel)
            }
            LogicalPlan::Unnest(unnest) => {
                let mut rel = self.build(&unnest.input)?;
                rel.push(Work::Unnest(unnest.clone()));
                Ok(rel)
            }
            LogicalPlan::Aggregate(aggregate) => self.aggregate(aggregate),
            LogicalPlan::Join(join) => self.join(join),
            LogicalPlan::Window(_) => self.refused(
                &[],
                &["OVER"],
                format!(
                    "OVER is for ROW_NUMBER() OVER \
                 (PARTITION BY window_start, window_end, … ORDER BY …) AS rn \
                 with a condition rn <= N around it; other uses are not in this version"
                ),
            ),
            other => {
                if let Some(tvf) = WindowTvf::of(other) {
                    return self.window(tvf);
                }
                if let Some(mark) = EventTimeMark::of(other) {
                    return self.build(&mark.input);
                }
                plan_err!("{} is not supported in a pipeline's query", other.display())
            }
        }
    }

    fn scan(&mut self, scan: &TableScan) -> Result<Rel> {
        let source = scan.table_name.table().to_string();
        let Some(input) = self.inputs.schemas.get(&source) else {
            return plan_err!("there is no source '{source}'");
        };
        if !scan.filters.is_empty() {
            return plan_err!("a filter was pushed into the scan of '{source}'");
        }
        let columns = match &scan.projection {
            Some(projection) => projection.clone(),
            None => (0..input.fields().len()).collect(),
        };
        let mut chain = Chain {
            physical: input
                .fields()
                .iter()
                .map(|f| f.data_type().clone())
                .collect(),
            steps: vec![],
            schema: scan.projected_schema.clone(),
            base: Base::Source(source.clone()),
        };
        chain.push(Work::Select(columns, scan.projected_schema.clone()));
        Ok(Rel {
            chains: vec![chain],
            schema: scan.projected_schema.clone(),
            changelog: self.inputs.changelogs.contains(&source),
        })
    }

    fn window(&mut self, tvf: &WindowTvf) -> Result<Rel> {
        let found = traits(&tvf.input)?;
        let time = tvf.column(&tvf.time)?;
        if crate::times::descriptor_kind(found[time]).is_none() {
            let field = tvf.input.schema().field(time);
            let words =
                crate::times::no_time_words(field.name(), field.data_type(), &tvf.input, &found);
            return self.refused(
                &[tvf.time.clone()],
                &[tvf.shape.assigner.name()],
                format!("{words}"),
            );
        }
        let mut rel = self.build(&tvf.input)?;
        if rel.changelog {
            return self.refused(
                &[],
                &[tvf.shape.assigner.name()],
                format!(
                    "a window over a changelog is \
                 not in this version: '{}' gets rows that are taken back",
                    tvf.shape.assigner.name().to_uppercase()
                ),
            );
        }
        let partition = tvf
            .partition
            .iter()
            .map(|p| tvf.column(p))
            .collect::<Result<_>>()?;
        use datafusion::logical_expr::UserDefinedLogicalNodeCore;
        rel.push(Work::Window {
            shape: tvf.shape,
            time,
            partition,
            id: tvf.id(),
            schema: tvf.schema().clone(),
        });
        Ok(rel)
    }

    // ---- nodes

    /// A node that was made before for the same input and the same work.
    pub fn made(&self, key: &str) -> Option<usize> {
        self.made.get(key).copied()
    }

    pub fn add(&mut self, node: Node, key: Option<String>) -> usize {
        self.nodes.push(node);
        let index = self.nodes.len() - 1;
        if let Some(key) = key {
            self.made.insert(key, index);
        }
        index
    }

    pub fn add_fragment(&mut self, fragment: Fragment) -> i64 {
        self.fragments.push(fragment);
        self.fragments.len() as i64 - 1
    }

    /// The columns of a node under a logical schema: what comes behind it.
    pub fn behind(&self, node: usize, columns: Vec<usize>, schema: DFSchemaRef) -> Rel {
        let made = &self.nodes[node];
        let mut chain = Chain {
            base: Base::Node(node),
            physical: made
                .schema
                .fields()
                .iter()
                .map(|f| f.data_type().clone())
                .collect(),
            steps: vec![],
            schema: schema.clone(),
        };
        chain.push(Work::Select(columns, schema.clone()));
        Rel {
            chains: vec![chain],
            schema,
            changelog: made.changelog,
        }
    }

    /// Makes the rows of `rel` a node's input with the values of `wanted`, each once. `whole`: the node may have
    /// nothing else, as it keeps all that it gets. `fused`: the window that is left out.
    pub fn input(
        &mut self,
        mut rel: Rel,
        wanted: &[Expr],
        whole: bool,
        fused: Option<u64>,
    ) -> Result<Input> {
        let mut distinct: Vec<Expr> = Vec::new();
        let mut columns = Vec::with_capacity(wanted.len());
        for expression in wanted {
            let position = distinct.iter().position(|d| d == expression);
            columns.push(position.unwrap_or(distinct.len()));
            if position.is_none() {
                distinct.push(expression.clone());
            }
        }
        let schema = projected(&distinct, &rel.schema)?;
        rel.push(Work::Project(distinct, schema.clone()));
        if let [chain] = rel.chains.as_slice() {
            if let (Base::Node(node), Some(picks)) = (&chain.base, chain.picks()) {
                let all = self.nodes[*node].schema.fields().len();
                let mut used = picks.clone();
                used.sort_unstable();
                used.dedup();
                if !whole || used.len() == all {
                    return Ok(Input {
                        node: *node,
                        columns: columns.iter().map(|c| picks[*c]).collect(),
                    });
                }
            }
        }
        let output = arrow_schema(&schema);
        let node = self.materialize(rel, output, fused)?;
        Ok(Input { node, columns })
    }

    /// The last node of `rel`, whose columns are `output`.
    pub fn materialize(
        &mut self,
        rel: Rel,
        output: SchemaRef,
        fused: Option<u64>,
    ) -> Result<usize> {
        let mut ends = Vec::new();
        for chain in &rel.chains {
            ends.push(self.end_of(chain, &output, fused)?);
        }
        match ends.as_slice() {
            [] => plan_err!("no row can come out of this query: a condition in it is never true"),
            [end] => Ok(*end),
            _ => {
                let mut node = Node::new("union_all", ends.clone(), output.clone());
                node.detail = format!("{} inputs", ends.len());
                node.changelog = ends.iter().any(|end| self.nodes[*end].changelog);
                for column in 0..output.fields().len() {
                    for end in &ends {
                        let origins = self.nodes[*end].origins[column].clone();
                        node.origins[column].extend(origins);
                    }
                }
                Ok(self.add(node, None))
            }
        }
    }

    fn end_of(&mut self, chain: &Chain, output: &SchemaRef, fused: Option<u64>) -> Result<usize> {
        let fused = fused.and_then(|id| chain.fusible(id)).map(|f| f.position);
        let mut node = match &chain.base {
            Base::Source(source) => {
                let mut node = Node::new("scan", vec![], output.clone());
                node.source = source.clone();
                node.detail = source.clone();
                node.changelog = self.inputs.changelogs.contains(source);
                node
            }
            Base::Node(input) => {
                // The columns as they are, under other names perhaps.
                let same_types = self.nodes[*input]
                    .schema
                    .fields()
                    .iter()
                    .map(|f| f.data_type())
                    .eq(output.fields().iter().map(|f| f.data_type()));
                let identity = chain
                    .picks()
                    .is_some_and(|p| p.iter().enumerate().all(|(i, c)| i == *c));
                if same_types && identity && self.nodes[*input].schema == *output {
                    return Ok(*input);
                }
                let mut node = Node::new("fragment", vec![*input], output.clone());
                node.changelog = self.nodes[*input].changelog;
                node
            }
        };
        let input_schema = match &chain.base {
            Base::Source(source) => self.inputs.schemas[source].clone(),
            Base::Node(input) => self.nodes[*input].schema.clone(),
        };
        let steps = chain.compile(self.state, fused)?;
        node.work = crate::chain::describe(&chain.steps);
        if node.kind == "fragment" {
            let kinds: Vec<_> = node.work.iter().map(|(kind, _)| *kind).collect();
            node.detail = kinds.join(", ");
        }
        let fragment = Fragment::new(with_row(&input_schema), steps, with_row(output));
        node.fragment = self.add_fragment(fragment);
        let index = self.nodes.len();
        for (column, passed) in passed_on(chain).into_iter().enumerate() {
            node.origins[column] = match (&chain.base, passed) {
                (Base::Source(_), _) => vec![(index, column)],
                (Base::Node(input), Some(from)) => self.nodes[*input].origins[from].clone(),
                _ => vec![],
            };
        }
        Ok(self.add(node, None))
    }

    // ---- lateness

    /// Scans that `column` of `node` comes from unchanged: rows are late by a window, or after `hold_us`.
    pub fn mark_late(&mut self, node: usize, column: usize, late: &Late) {
        for (scan, scan_column) in self.nodes[node].origins[column].clone() {
            let scan = &mut self.nodes[scan];
            scan.timed = true;
            scan.time_column = scan_column as i64;
            match late {
                Late::Hold(hold_us) => scan.late_hold_us = scan.late_hold_us.max(*hold_us),
                Late::Window(window) => {
                    scan.late_by_window = true;
                    scan.window = Some(Window {
                        time_column: scan_column as i64,
                        ..window.clone()
                    });
                }
            }
        }
    }

    /// Scans whose rows come with their windows: late when those have closed.
    pub fn mark_attached(&mut self, node: usize, window: &Window, time: Option<usize>) {
        let Some(time) = time else {
            return;
        };
        let starts = self.nodes[node].origins[window.start_column as usize].clone();
        let ends = self.nodes[node].origins[window.end_column as usize].clone();
        let times = self.nodes[node].origins[time].clone();
        for ((scan, start), ((_, end), (_, time))) in
            starts.into_iter().zip(ends.into_iter().zip(times))
        {
            let scan = &mut self.nodes[scan];
            scan.timed = true;
            scan.late_by_window = true;
            scan.time_column = time as i64;
            scan.window = Some(Window {
                start_column: start as i64,
                end_column: end as i64,
                ..window.clone()
            });
        }
    }

    pub fn carry_origins(&mut self, node: usize, from: usize) {
        let origins = self.nodes[from].origins.clone();
        self.nodes[node].origins[..origins.len()].clone_from_slice(&origins);
    }
}

pub enum Late {
    Hold(i64),
    Window(Window),
}

/// For each column at a chain's end the base's column that it is, unchanged.
fn passed_on(chain: &Chain) -> Vec<Option<usize>> {
    let mut current: Vec<Option<usize>> = (0..chain.physical.len()).map(Some).collect();
    let mut schema: Option<DFSchemaRef> = None;
    for step in &chain.steps {
        match step {
            Work::Select(columns, after) => {
                current = columns.iter().map(|c| current[*c]).collect();
                schema = Some(after.clone());
            }
            Work::Filter(_) => {}
            Work::Project(expressions, after) => {
                if let Some(before) = &schema {
                    current = expressions
                        .iter()
                        .map(|e| crate::chain::column_of(e, before).and_then(|c| current[c]))
                        .collect();
                }
                schema = Some(after.clone());
            }
            Work::Unnest(unnest) => {
                current = unnest
                    .dependency_indices
                    .iter()
                    .map(|c| current[*c])
                    .collect();
                schema = Some(unnest.schema.clone());
            }
            Work::Window { schema: after, .. } => {
                current.extend([None, None, None]);
                schema = Some(after.clone());
            }
        }
    }
    current
}

/// The schema of expressions under names that are each there once.
pub fn projected(expressions: &[Expr], input: &DFSchema) -> Result<DFSchemaRef> {
    use datafusion::logical_expr::ExprSchemable;
    let mut fields: Vec<Field> = Vec::new();
    for expression in expressions {
        let name = match expression {
            Expr::Column(column) => column.name.clone(),
            Expr::Alias(alias) => alias.name.clone(),
            other => crate::tree::show(other),
        };
        let mut unique = name.clone();
        let mut number = 1;
        while fields.iter().any(|f| f.name() == &unique) || unique == crate::plan::ROW {
            number += 1;
            unique = format!("{name}_{number}");
        }
        fields.push(Field::new(unique, expression.get_type(input)?, true));
    }
    Ok(Arc::new(DFSchema::from_unqualified_fields(
        fields.into(),
        HashMap::new(),
    )?))
}

/// Columns as they lie between two nodes.
pub fn arrow_schema(schema: &DFSchema) -> SchemaRef {
    let fields: Vec<Field> = schema
        .fields()
        .iter()
        .map(|f| Field::new(f.name(), signed(f.data_type()), true))
        .collect();
    Arc::new(Schema::new(fields))
}

pub fn columns_of(schema: &DFSchema) -> Vec<Expr> {
    schema.columns().into_iter().map(Expr::Column).collect()
}
