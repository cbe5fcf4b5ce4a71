//! SQL text -> branches of stateless steps, or a graph of stateful nodes, each fragment compiled once.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{plan_err, DFSchema, Result as DfResult, TableReference};
use datafusion::datasource::{provider_as_source, TableProvider, TableType, ViewTable};
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::{
    Expr, Extension, LogicalPlan, LogicalPlanBuilder, Unnest, Volatility,
};
use datafusion::optimizer::Optimizer;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::{
    visit_expressions_mut, BinaryOperator, Expr as SqlExpr, FunctionArg, FunctionArgExpr,
    FunctionArguments, Ident, ObjectName, Query, Statement as SqlStatement, Value,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use serde::Deserialize;

use crate::chain::{with_row, Base, Work};
use crate::error::{find_identifier, planning_error, with_known_tables, BridgeError, Outcome};
use crate::flink_functions::flink_functions;
use crate::fragment::{Fragment, Step};
use crate::functions::clock_functions;
use crate::graph::{Builder, Inputs, Node, Rel};
use crate::lookup::{wrong_moment, Lookup, LookupPlanner};
use crate::times::EventTimeMark;
use crate::tree::{graph_tree, tree};
use crate::unnest::{name_dot_fields, name_fields, nest_unnest_joins, UnnestPlanner};
use crate::widen::{signed, sql_type, widens};
use crate::window_tvf::{wrap_table_arguments, WindowPlanner, WindowTvf};

pub const ROW: &str = "_weir_row";

#[derive(Deserialize)]
pub struct Request {
    tables: Vec<Table>,
    views: Vec<View>,
    query: String,
    target: bool,
}

#[derive(Deserialize)]
struct Table {
    name: String,
    computed: Vec<(String, String)>,
    order: Vec<String>,
    #[serde(default)]
    time_column: String,
    #[serde(default)]
    changelog: bool,
    #[serde(default)]
    lookup: bool,
}

#[derive(Deserialize)]
struct View {
    name: String,
    query: String,
}

pub struct Plan {
    pub schema: SchemaRef,
    /// Of a stateless plan one a branch; of a graph each that it scans, once.
    pub sources: Vec<String>,
    /// None: stateless.
    pub graph: Option<Vec<Node>>,
    pub tree: serde_json::Value,
    pub deterministic: bool,
    fragments: Vec<Fragment>,
}

impl Plan {
    pub fn take_fragments(&mut self) -> Vec<Fragment> {
        std::mem::take(&mut self.fragments)
    }
}

/// A source of events as the planner sees it: columns, nothing that can be read here.
#[derive(Debug)]
struct StreamTable(SchemaRef);

#[async_trait]
impl TableProvider for StreamTable {
    fn schema(&self) -> SchemaRef {
        self.0.clone()
    }
    fn table_type(&self) -> TableType {
        TableType::Base
    }
    async fn scan(
        &self,
        _: &dyn Session,
        _: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        plan_err!("a stream is not read by DataFusion")
    }
}

fn session() -> SessionContext {
    let mut config = SessionConfig::new();
    {
        let options = config.options_mut();
        options.sql_parser.enable_ident_normalization = false;
        options.sql_parser.map_string_types_to_utf8view = false;
        options.sql_parser.collect_spans = true;
        options.execution.time_zone = Some("UTC".into());
        // Flink's: NULLs are the lowest values.
        options.sql_parser.default_null_ordering = "nulls_min".into();
    }
    let context = SessionContext::new_with_config(config);
    for function in clock_functions().into_iter().chain(flink_functions()) {
        context.register_udf(function.as_ref().clone());
    }
    let _ = context.register_relation_planner(Arc::new(UnnestPlanner::default()));
    let _ = context.register_relation_planner(Arc::new(WindowPlanner));
    let _ = context.register_relation_planner(Arc::new(LookupPlanner));
    context
}

pub fn scalar_functions() -> Vec<String> {
    let mut names: Vec<_> = session()
        .state()
        .scalar_functions()
        .keys()
        .cloned()
        .collect();
    names.sort();
    names
}

pub fn plan(request: Request, mut schemas: Vec<SchemaRef>) -> Outcome<Plan> {
    let target = if request.target { schemas.pop() } else { None };
    if schemas.len() != request.tables.len() {
        return Err(BridgeError::internal("one schema is needed for each table"));
    }
    let timed = request.tables.iter().any(|t| !t.time_column.is_empty());
    let (mut context, mut logical) = logical_plan(&request, &schemas, timed)?;
    let stateful = is_stateful(&logical);
    if timed && !stateful {
        // Marks of event time would stand in the optimizer's way.
        (context, logical) = logical_plan(&request, &schemas, false)?;
    }
    let to_error = |e| planning_error(e, &request.query);
    let state = match stateful {
        true => streaming_state(&context),
        false => context.state(),
    };
    let optimized = state.optimize(&logical).map_err(to_error)?;
    refuse(&optimized, &request.query)?;
    let tables = request.tables.iter();
    let inputs = Inputs {
        schemas: tables
            .clone()
            .zip(&schemas)
            .map(|(table, schema)| (table.name.clone(), schema.clone()))
            .collect(),
        changelogs: tables
            .filter(|t| t.changelog)
            .map(|t| t.name.clone())
            .collect(),
    };
    let mut builder = Builder::new(&state, &inputs, &request.query);
    let rel = builder.build(&optimized).map_err(to_error)?;
    let schema = output_schema(optimized.schema(), target.as_ref(), &request.query)?;
    let deterministic = is_deterministic(&optimized).map_err(to_error)?;
    let mut plan = Plan {
        schema: schema.clone(),
        sources: vec![],
        graph: None,
        tree: serde_json::Value::Null,
        deterministic,
        fragments: vec![],
    };
    if builder.nodes.is_empty() {
        plan.tree = tree(&optimized);
        for chain in &rel.chains {
            let Base::Source(source) = &chain.base else {
                return Err(BridgeError::internal("a branch without a source"));
            };
            let steps = chain.compile(&state, None).map_err(to_error)?;
            let input = with_row(&inputs.schemas[source]);
            plan.fragments
                .push(Fragment::new(input, steps, with_row(&schema)));
            plan.sources.push(source.clone());
        }
        return Ok(plan);
    }
    finish_graph(builder, rel, &mut plan).map_err(to_error)?;
    Ok(plan)
}

/// The query's columns as the last node gives them.
fn finish_graph(mut builder: Builder, rel: Rel, plan: &mut Plan) -> DfResult<()> {
    let fields: Vec<Field> = plan
        .schema
        .fields()
        .iter()
        .map(|f| f.as_ref().clone().with_nullable(true))
        .collect();
    let output: SchemaRef = Arc::new(Schema::new(fields));
    let last = builder.nodes.len() - 1;
    let mut as_it_is = false;
    if let [chain] = rel.chains.as_slice() {
        let given = builder.nodes[last].schema.fields();
        let types = given.iter().map(|f| f.data_type());
        as_it_is = chain.base == Base::Node(last)
            && chain.picks() == Some((0..given.len()).collect())
            && types.eq(output.fields().iter().map(|f| f.data_type()));
    }
    if as_it_is {
        builder.nodes[last].schema = output.clone();
    } else {
        let mut rel = rel;
        let columns = (0..rel.schema.fields().len()).collect();
        let schema = rel.schema.clone();
        rel.push(Work::Select(columns, schema));
        builder.materialize(rel, output.clone(), None)?;
    }
    plan.schema = output;
    for node in &builder.nodes {
        if node.kind == "scan" && !plan.sources.contains(&node.source) {
            plan.sources.push(node.source.clone());
        }
    }
    plan.tree = graph_tree(&builder.nodes);
    plan.fragments = builder.fragments;
    plan.graph = Some(builder.nodes);
    Ok(())
}

/// The query over its tables and views. `marked`: columns of event time are told apart.
fn logical_plan(
    request: &Request,
    schemas: &[SchemaRef],
    marked: bool,
) -> Outcome<(SessionContext, LogicalPlan)> {
    let context = session();
    let unmarked = !marked && request.tables.iter().any(|t| !t.time_column.is_empty());
    for (table, schema) in request.tables.iter().zip(schemas) {
        register_table(&context, table, schema, marked)?;
    }
    let known: Vec<&str> = request
        .tables
        .iter()
        .map(|t| t.name.as_str())
        .chain(request.views.iter().map(|v| v.name.as_str()))
        .collect();
    for (index, view) in request.views.iter().enumerate() {
        let in_view = |mut failure: BridgeError| {
            failure.view = view.name.clone();
            with_known_tables(failure, &known[..request.tables.len() + index])
        };
        let planned = match plan_text(&context, &view.query) {
            // It had a plan with marks: it is over windows, and a stateless query does not read it.
            Err(_) if unmarked => continue,
            planned => planned.map_err(in_view)?,
        };
        let provider = Arc::new(ViewTable::new(planned, None));
        context
            .register_table(TableReference::bare(view.name.as_str()), provider)
            .map_err(|e| in_view(planning_error(e, &view.query)))?;
    }
    let logical = plan_text(&context, &request.query)
        .map_err(|failure| with_known_tables(failure, &known))?;
    refuse_unread_lookups(&logical, request)?;
    Ok((context, logical))
}

fn is_stateful(plan: &LogicalPlan) -> bool {
    let mut stateful = false;
    let walked = plan.apply(|node| {
        stateful |= matches!(
            node,
            LogicalPlan::Aggregate(_)
                | LogicalPlan::Join(_)
                | LogicalPlan::Window(_)
                | LogicalPlan::Distinct(_)
        ) || WindowTvf::of(node).is_some()
            || Lookup::of(node).is_some();
        Ok(TreeNodeRecursion::Continue)
    });
    stateful || walked.is_err()
}

/// A table that is looked up is read by nothing else: its rows are not events.
fn refuse_unread_lookups(plan: &LogicalPlan, request: &Request) -> Outcome<()> {
    fn scanned(plan: &LogicalPlan, found: &mut Vec<String>) {
        if Lookup::of(plan).is_some() {
            return;
        }
        if let LogicalPlan::TableScan(scan) = plan {
            found.push(scan.table_name.table().to_string());
        }
        for input in plan.inputs() {
            scanned(input, found);
        }
    }
    let mut found = Vec::new();
    scanned(plan, &mut found);
    for table in request.tables.iter().filter(|t| t.lookup) {
        if found.contains(&table.name) {
            let mut failure = BridgeError::invalid(format!(
                "'{}' is a table to look up, no stream: JOIN {} FOR SYSTEM_TIME AS OF t.proctime AS d ON …",
                table.name, table.name
            ));
            (failure.line, failure.column) =
                find_identifier(&request.query, &table.name).unwrap_or((0, 0));
            return Err(failure);
        }
    }
    Ok(())
}

/// Without the rules that make two aggregates of one, or a semi join of an inner one.
fn streaming_state(context: &SessionContext) -> SessionState {
    let rules = Optimizer::new().rules;
    let kept = rules
        .into_iter()
        .filter(|rule| {
            !["single_distinct_aggregation_to_group_by", "eliminate_join"].contains(&rule.name())
        })
        .collect();
    SessionStateBuilder::new_from_existing(context.state())
        .with_optimizer_rules(kept)
        .build()
}

/// A table is a scan of its physical columns, and over it a projection to its declared ones.
fn register_table(
    context: &SessionContext,
    table: &Table,
    schema: &SchemaRef,
    marked: bool,
) -> Outcome<()> {
    let provider: Arc<dyn TableProvider> = Arc::new(StreamTable(schema.clone()));
    let names: Vec<String> = if table.order.is_empty() {
        schema.fields().iter().map(|f| f.name().clone()).collect()
    } else {
        table.order.clone()
    };
    let reference = TableReference::bare(table.name.as_str());
    let as_is = names.len() == schema.fields().len()
        && names
            .iter()
            .zip(schema.fields())
            .all(|(n, f)| n == f.name());
    let marked = marked && !table.time_column.is_empty() && !table.lookup;
    let provider = if table.computed.is_empty() && as_is && !marked {
        provider
    } else {
        let state = context.state();
        let raw = LogicalPlanBuilder::scan(reference.clone(), provider_as_source(provider), None)
            .map_err(|e| planning_error(e, ""))?;
        let mut columns = Vec::new();
        for name in &names {
            let column = match table.computed.iter().find(|(computed, _)| computed == name) {
                Some((_, text)) => computed_column(&state, raw.schema(), text)
                    .map_err(|mut failure| {
                        failure.message = format!(
                            "computed column '{name}' of table '{}': {}",
                            table.name, failure.message
                        );
                        (failure.line, failure.column) = (0, 0);
                        failure
                    })?
                    .alias(name),
                // Without an alias: DataFusion's leaf projections would see two columns of one name.
                None => Expr::Column(datafusion::common::Column::new(
                    Some(reference.clone()),
                    name,
                )),
            };
            columns.push(column);
        }
        let view = raw.project(columns).and_then(|b| b.build()).map_err(|e| {
            let mut failure = planning_error(e, "");
            failure.message = format!("table '{}': {}", table.name, failure.message);
            failure
        })?;
        let view = match marked {
            true => mark_event_time(view, &table.time_column),
            false => view,
        };
        Arc::new(ViewTable::new(view, None))
    };
    context
        .register_table(reference, provider)
        .map_err(|e| planning_error(e, ""))?;
    Ok(())
}

fn mark_event_time(view: LogicalPlan, column: &str) -> LogicalPlan {
    let found = view
        .schema()
        .columns()
        .into_iter()
        .find(|c| c.name == column);
    let Some(column) = found else {
        return view;
    };
    LogicalPlan::Extension(Extension {
        node: Arc::new(EventTimeMark {
            input: Arc::new(view),
            column,
        }),
    })
}

fn computed_column(state: &SessionState, schema: &DFSchema, text: &str) -> Outcome<Expr> {
    let to_error = |e| planning_error(e, text);
    let dialect = GenericDialect {};
    let mut parser = DFParserBuilder::new(text)
        .with_dialect(&dialect)
        .build()
        .map_err(to_error)?;
    let mut parsed = parser.parse_into_expr().map_err(to_error)?;
    name_dot_fields(&mut parsed.expr);
    let expression = state
        .create_logical_expr_from_sql_expr(parsed, schema)
        .map_err(to_error)?;
    refuse_expressions(std::slice::from_ref(&expression), text, false)?;
    // Types are checked here, where the column's name is known.
    use datafusion::logical_expr::ExprSchemable;
    expression
        .get_type(schema)
        .map_err(|e| planning_error(e, text))?;
    Ok(expression)
}

fn plan_text(context: &SessionContext, text: &str) -> Outcome<LogicalPlan> {
    let to_error = |e| planning_error(e, text);
    let dialect = GenericDialect {};
    let mut parser = DFParserBuilder::new(text)
        .with_dialect(&dialect)
        .build()
        .map_err(to_error)?;
    let mut statements = parser.parse_statements().map_err(to_error)?;
    if statements.len() != 1 {
        return Err(BridgeError::invalid("one query is expected here"));
    }
    let mut statement = statements.pop_front().expect("length was checked");
    match &mut statement {
        Statement::Statement(inner) => match inner.as_mut() {
            SqlStatement::Query(query) => {
                name_dot_fields(query.as_mut());
                rename_calls(query.as_mut());
                name_fields(query.as_mut());
                wrap_table_arguments(query.as_mut());
                nest_unnest_joins(query);
            }
            _ => return Err(BridgeError::invalid("a SELECT is expected here")),
        },
        _ => return Err(BridgeError::invalid("a SELECT is expected here")),
    }
    let state = context.state();
    let logical = crate::runtime()
        .block_on(state.statement_to_plan(statement))
        .map_err(to_error)?;
    refuse(&logical, text)?;
    if let Some((words, token)) = wrong_moment(&logical) {
        let mut failure = BridgeError::invalid(words);
        (failure.line, failure.column) = find_identifier(text, &token).unwrap_or((0, 0));
        return Err(failure);
    }
    Ok(logical)
}

/// LISTAGG(x [, separator]) is DataFusion's string_agg, MOD(a, b) its a % b.
fn rename_calls(query: &mut Query) {
    let _ = visit_expressions_mut(query, |expression| {
        if let Some(remainder) = remainder_of(expression) {
            *expression = remainder;
        }
        if let SqlExpr::Function(call) = expression {
            if call.name.to_string().eq_ignore_ascii_case("LISTAGG") {
                call.name = ObjectName::from(vec![Ident::new("string_agg")]);
                if let FunctionArguments::List(list) = &mut call.args {
                    if list.args.len() == 1 {
                        let comma = Value::SingleQuotedString(",".into());
                        let comma = SqlExpr::Value(comma.into());
                        list.args
                            .push(FunctionArg::Unnamed(FunctionArgExpr::Expr(comma)));
                    }
                }
            }
        }
        ControlFlow::<()>::Continue(())
    });
}

fn remainder_of(expression: &SqlExpr) -> Option<SqlExpr> {
    let SqlExpr::Function(call) = expression else {
        return None;
    };
    let FunctionArguments::List(list) = &call.args else {
        return None;
    };
    if !call.name.to_string().eq_ignore_ascii_case("MOD") {
        return None;
    }
    let [FunctionArg::Unnamed(FunctionArgExpr::Expr(left)), FunctionArg::Unnamed(FunctionArgExpr::Expr(right))] =
        list.args.as_slice()
    else {
        return None;
    };
    let nested = |part: &SqlExpr| Box::new(SqlExpr::Nested(Box::new(part.clone())));
    let remainder = SqlExpr::BinaryOp {
        left: nested(left),
        op: BinaryOperator::Modulo,
        right: nested(right),
    };
    Some(SqlExpr::Nested(Box::new(remainder)))
}

// ---- what is refused

const LATER: &str =
    "is not in this version, which runs SELECT, WHERE, UNNEST, UNION ALL, GROUP BY, windows \
                     (TUMBLE, HOP, CUMULATE, SESSION), inner joins and lookups";

fn refuse(plan: &LogicalPlan, text: &str) -> Outcome<()> {
    let mut refusal = None;
    let walked = plan.apply(|node| {
        refusal = refusal_of(node);
        let has_calls = matches!(node, LogicalPlan::Aggregate(_) | LogicalPlan::Window(_));
        if refusal.is_none() {
            if let Err(failure) = refuse_expressions(&node.expressions(), text, has_calls) {
                refusal = Some((failure.message, ""));
            }
        }
        Ok(if refusal.is_some() {
            TreeNodeRecursion::Stop
        } else {
            TreeNodeRecursion::Continue
        })
    });
    walked.map_err(|e| planning_error(e, text))?;
    match refusal {
        None => Ok(()),
        Some((message, token)) => {
            let mut failure = BridgeError::invalid(message);
            if let Some((line, column)) = find_identifier(text, token) {
                (failure.line, failure.column) = (line, column);
            }
            Err(failure)
        }
    }
}

/// Why a node is refused, and the keyword that led to it.
fn refusal_of(node: &LogicalPlan) -> Option<(String, &'static str)> {
    let later = |found: &str, token| Some((format!("{found} {LATER}"), token));
    match node {
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Unnest(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Aggregate(_)
        | LogicalPlan::Join(_)
        | LogicalPlan::Window(_)
        | LogicalPlan::Distinct(_)
        | LogicalPlan::Extension(_)
        | LogicalPlan::Union(_) => None,
        LogicalPlan::TableScan(scan) if scan.fetch.is_some() => later("LIMIT", "LIMIT"),
        LogicalPlan::TableScan(_) => None,
        LogicalPlan::EmptyRelation(empty) if !empty.produce_one_row => None,
        LogicalPlan::EmptyRelation(_) => Some((
            "the query reads no table: a FROM is needed".into(),
            "SELECT",
        )),
        LogicalPlan::Sort(_) => later("ORDER BY", "ORDER"),
        LogicalPlan::Limit(_) => later("LIMIT", "LIMIT"),
        LogicalPlan::Subquery(_) => later("a subquery within an expression", ""),
        LogicalPlan::RecursiveQuery(_) => later("WITH RECURSIVE", "RECURSIVE"),
        LogicalPlan::Values(_) => Some((
            "VALUES is no source here: read FROM a table".into(),
            "VALUES",
        )),
        other => Some((
            format!("{} is not supported in a pipeline's query", other.display()),
            "",
        )),
    }
}

/// `calls`: aggregate and window functions have their place here.
fn refuse_expressions(expressions: &[Expr], text: &str, calls: bool) -> Outcome<()> {
    let mut found = None;
    for expression in expressions {
        expression
            .apply(|part| {
                found = match part {
                    Expr::ScalarSubquery(_)
                    | Expr::Exists(_)
                    | Expr::InSubquery(_)
                    | Expr::SetComparison(_) => Some("a subquery within an expression"),
                    Expr::AggregateFunction(_) if !calls => Some("an aggregate function"),
                    Expr::WindowFunction(_) if !calls => Some("a window function (OVER)"),
                    _ => None,
                };
                Ok(if found.is_some() {
                    TreeNodeRecursion::Stop
                } else {
                    TreeNodeRecursion::Continue
                })
            })
            .map_err(|e| planning_error(e, text))?;
        if let Some(found) = found {
            return Err(BridgeError::invalid(format!("{found} {LATER}")));
        }
    }
    Ok(())
}

fn is_deterministic(plan: &LogicalPlan) -> DfResult<bool> {
    let mut deterministic = true;
    plan.apply(|node| {
        for expression in node.expressions() {
            expression.apply(|part| {
                if let Expr::ScalarFunction(call) = part {
                    deterministic &= call.func.signature().volatility != Volatility::Volatile;
                }
                Ok(TreeNodeRecursion::Continue)
            })?;
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(deterministic)
}

// ---- unnest

pub fn unnest_step(
    unnest: &Unnest,
    before: &DFSchema,
    after: &DFSchema,
    physical: &[DataType],
) -> Step {
    let mut kinds = unnested_types(unnest, physical);
    kinds.push(DataType::Int32);
    let fields: Vec<_> = after
        .fields()
        .iter()
        .zip(kinds)
        .map(|(f, kind)| {
            let field = f.as_ref().clone().with_nullable(true);
            field.with_data_type(kind)
        })
        .collect();
    let schema = Arc::new(Schema::new(fields));
    if let ([(column, list)], []) = (
        unnest.list_type_columns.as_slice(),
        unnest.struct_type_columns.as_slice(),
    ) {
        if list.depth == 1 && matches!(before.field(*column).data_type(), DataType::List(_)) {
            return Step::UnnestList {
                column: *column,
                null_handling: unnest.options.null_handling,
                schema,
            };
        }
    }
    Step::UnnestAny {
        lists: unnest
            .list_type_columns
            .iter()
            .map(|(index, list)| (*index, list.depth))
            .collect(),
        structs: unnest.struct_type_columns.clone(),
        options: unnest.options.clone(),
        schema,
    }
}

/// Types of the columns after it: those that are not unnested as they lie.
pub fn unnested_types(unnest: &Unnest, physical: &[DataType]) -> Vec<DataType> {
    let unnested = |column: &usize| {
        unnest.list_type_columns.iter().any(|(c, _)| c == column)
            || unnest.struct_type_columns.contains(column)
    };
    unnest
        .dependency_indices
        .iter()
        .zip(unnest.schema.fields())
        .map(|(column, field)| match unnested(column) {
            true => field.data_type().clone(),
            false => physical[*column].clone(),
        })
        .collect()
}

/// The query's columns by the sink's names and types; without a sink's, in types that every consumer knows.
fn output_schema(query: &DFSchema, target: Option<&SchemaRef>, text: &str) -> Outcome<SchemaRef> {
    let found = query.fields();
    let mut fields = Vec::new();
    let Some(target) = target else {
        for (index, field) in found.iter().enumerate() {
            if found[..index]
                .iter()
                .any(|earlier| earlier.name() == field.name())
            {
                let name = field.name();
                let message = format!(
                    "two columns are called '{name}': give one of them another name with AS"
                );
                let mut failure = BridgeError::invalid(message);
                (failure.line, failure.column) = find_identifier(text, name).unwrap_or((0, 0));
                return Err(failure);
            }
            fields.push(Field::new(
                field.name(),
                signed(field.data_type()),
                field.is_nullable(),
            ));
        }
        return Ok(Arc::new(Schema::new(fields)));
    };
    if found.len() != target.fields().len() {
        let names = |fields: &arrow::datatypes::Fields| {
            fields
                .iter()
                .map(|f| f.name().as_str())
                .collect::<Vec<_>>()
                .join(", ")
        };
        return Err(BridgeError::invalid(format!(
            "the query gives {} column(s) ({}), the sink has {} ({})",
            found.len(),
            names(found),
            target.fields().len(),
            names(target.fields())
        )));
    }
    for (index, (from, to)) in found.iter().zip(target.fields()).enumerate() {
        let given = signed(from.data_type());
        if !widens(&given, to.data_type()) {
            let wanted = sql_type(to.data_type());
            let mut failure = BridgeError::invalid(format!(
                "column {} '{}' is {} in the query but {wanted} in the sink: write CAST({} AS {wanted})",
                index + 1,
                to.name(),
                sql_type(&given),
                from.name(),
            ));
            (failure.line, failure.column) = find_identifier(text, from.name()).unwrap_or((0, 0));
            return Err(failure);
        }
        fields.push(Field::new(
            to.name(),
            to.data_type().clone(),
            from.is_nullable(),
        ));
    }
    Ok(Arc::new(Schema::new(fields)))
}
