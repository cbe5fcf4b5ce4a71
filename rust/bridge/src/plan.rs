//! SQL text -> branches of stateless steps, each compiled once.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{plan_err, DFSchema, DFSchemaRef, Result as DfResult, TableReference};
use datafusion::datasource::{provider_as_source, TableProvider, TableType, ViewTable};
use datafusion::execution::SessionState;
use datafusion::logical_expr::{
    Expr, LogicalPlan, LogicalPlanBuilder, TableScan, Unnest, Volatility,
};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use serde::Deserialize;
use serde_json::json;

use crate::error::{find_identifier, planning_error, with_known_tables, BridgeError, Outcome};
use crate::fragment::{Fragment, Step};
use crate::functions::clock_functions;
use crate::unnest::{name_dot_fields, nest_unnest_joins, UnnestPlanner};
use crate::widen::{signed, sql_type, widens};

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
}

#[derive(Deserialize)]
struct View {
    name: String,
    query: String,
}

pub struct Plan {
    pub schema: SchemaRef,
    pub sources: Vec<String>,
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
    }
    let context = SessionContext::new_with_config(config);
    for function in clock_functions() {
        context.register_udf(function.as_ref().clone());
    }
    let _ = context.register_relation_planner(Arc::new(UnnestPlanner::default()));
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
    let context = session();
    let mut inputs = HashMap::new();
    for (table, schema) in request.tables.iter().zip(&schemas) {
        register_table(&context, table, schema)?;
        inputs.insert(table.name.clone(), schema.clone());
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
        let planned = plan_text(&context, &view.query).map_err(in_view)?;
        let provider = Arc::new(ViewTable::new(planned, None));
        context
            .register_table(TableReference::bare(view.name.as_str()), provider)
            .map_err(|e| in_view(planning_error(e, &view.query)))?;
    }
    let logical = plan_text(&context, &request.query)
        .map_err(|failure| with_known_tables(failure, &known))?;
    let state = context.state();
    let to_error = |e| planning_error(e, &request.query);
    let optimized = state.optimize(&logical).map_err(to_error)?;
    refuse(&optimized, &request.query)?;
    let branches = compile(&state, &optimized, &inputs).map_err(to_error)?;
    let schema = output_schema(optimized.schema(), target.as_ref(), &request.query)?;
    let mut plan = Plan {
        schema: schema.clone(),
        sources: vec![],
        tree: tree(&optimized),
        deterministic: is_deterministic(&optimized).map_err(to_error)?,
        fragments: vec![],
    };
    for branch in branches {
        let input = &inputs[&branch.source];
        plan.fragments.push(Fragment::new(
            with_row(input),
            branch.steps,
            with_row(&schema),
        ));
        plan.sources.push(branch.source);
    }
    Ok(plan)
}

/// A table is a scan of its physical columns, and over it a projection to its declared ones.
fn register_table(context: &SessionContext, table: &Table, schema: &SchemaRef) -> Outcome<()> {
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
    let provider = if table.computed.is_empty() && as_is {
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
        Arc::new(ViewTable::new(view, None))
    };
    context
        .register_table(reference, provider)
        .map_err(|e| planning_error(e, ""))?;
    Ok(())
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
    refuse_expressions(std::slice::from_ref(&expression), text)?;
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
    Ok(logical)
}

// ---- what is refused

const LATER: &str =
    "is not in this version, which runs stateless SQL only: SELECT, WHERE, UNNEST, UNION ALL";

fn refuse(plan: &LogicalPlan, text: &str) -> Outcome<()> {
    let mut refusal = None;
    let walked = plan.apply(|node| {
        refusal = refusal_of(node);
        if refusal.is_none() {
            if let Err(failure) = refuse_expressions(&node.expressions(), text) {
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
        | LogicalPlan::Union(_) => None,
        LogicalPlan::TableScan(scan) if scan.fetch.is_some() => later("LIMIT", "LIMIT"),
        LogicalPlan::TableScan(_) => None,
        LogicalPlan::EmptyRelation(empty) if !empty.produce_one_row => None,
        LogicalPlan::EmptyRelation(_) => Some((
            "the query reads no table: a FROM is needed".into(),
            "SELECT",
        )),
        LogicalPlan::Aggregate(aggregate) if aggregate.group_expr.is_empty() => {
            later("an aggregate function", "")
        }
        LogicalPlan::Aggregate(_) => later("GROUP BY", "GROUP"),
        LogicalPlan::Distinct(_) => later("DISTINCT (or UNION without ALL)", "DISTINCT"),
        LogicalPlan::Join(_) => later("a join", "JOIN"),
        LogicalPlan::Window(_) => later("a window function (OVER)", "OVER"),
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

fn refuse_expressions(expressions: &[Expr], text: &str) -> Outcome<()> {
    let mut found = None;
    for expression in expressions {
        expression
            .apply(|part| {
                found = match part {
                    Expr::ScalarSubquery(_)
                    | Expr::Exists(_)
                    | Expr::InSubquery(_)
                    | Expr::SetComparison(_) => Some("a subquery within an expression"),
                    Expr::AggregateFunction(_) => Some("an aggregate function"),
                    Expr::WindowFunction(_) => Some("a window function (OVER)"),
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

// ---- compilation

struct Branch {
    source: String,
    steps: Vec<Step>,
    /// Of the batch after the last step: the node's columns, then ROW.
    schema: DFSchemaRef,
}

fn compile(
    state: &SessionState,
    plan: &LogicalPlan,
    inputs: &HashMap<String, SchemaRef>,
) -> DfResult<Vec<Branch>> {
    match plan {
        LogicalPlan::TableScan(scan) => compile_scan(scan, inputs),
        LogicalPlan::EmptyRelation(_) => Ok(vec![]),
        LogicalPlan::Union(union) => {
            let schema = df_with_row(&union.schema)?;
            let mut branches = Vec::new();
            for input in &union.inputs {
                branches.extend(compile(state, input, inputs)?);
            }
            for branch in &mut branches {
                branch.schema = schema.clone();
            }
            Ok(branches)
        }
        LogicalPlan::SubqueryAlias(alias) => {
            let schema = df_with_row(&alias.schema)?;
            let mut branches = compile(state, &alias.input, inputs)?;
            for branch in &mut branches {
                branch.schema = schema.clone();
            }
            Ok(branches)
        }
        LogicalPlan::Filter(filter) => {
            let mut branches = compile(state, &filter.input, inputs)?;
            for branch in &mut branches {
                let predicate =
                    state.create_physical_expr(filter.predicate.clone(), &branch.schema)?;
                branch.steps.push(Step::Filter(predicate));
            }
            Ok(branches)
        }
        LogicalPlan::Projection(projection) => {
            let schema = df_with_row(&projection.schema)?;
            let mut branches = compile(state, &projection.input, inputs)?;
            for branch in &mut branches {
                let mut expressions = Vec::new();
                for expression in &projection.expr {
                    expressions
                        .push(state.create_physical_expr(expression.clone(), &branch.schema)?);
                }
                let row = Expr::Column(datafusion::common::Column::new_unqualified(ROW));
                expressions.push(state.create_physical_expr(row, &branch.schema)?);
                let before = branch.schema.as_arrow();
                let mut fields = Vec::new();
                for (expression, field) in expressions.iter().zip(schema.fields()) {
                    fields.push(Field::new(
                        field.name(),
                        expression.data_type(before)?,
                        true,
                    ));
                }
                branch
                    .steps
                    .push(Step::Project(expressions, Arc::new(Schema::new(fields))));
                branch.schema = schema.clone();
            }
            Ok(branches)
        }
        LogicalPlan::Unnest(unnest) => {
            let schema = df_with_row(&unnest.schema)?;
            let mut branches = compile(state, &unnest.input, inputs)?;
            for branch in &mut branches {
                branch
                    .steps
                    .push(unnest_step(unnest, &branch.schema, &schema));
                branch.schema = schema.clone();
            }
            Ok(branches)
        }
        other => plan_err!("{} is not supported in a pipeline's query", other.display()),
    }
}

fn compile_scan(scan: &TableScan, inputs: &HashMap<String, SchemaRef>) -> DfResult<Vec<Branch>> {
    let source = scan.table_name.table().to_string();
    let Some(input) = inputs.get(&source) else {
        return plan_err!("there is no source '{source}'");
    };
    if !scan.filters.is_empty() {
        return plan_err!("a filter was pushed into the scan of '{source}'");
    }
    let schema = df_with_row(&scan.projected_schema)?;
    let mut steps = Vec::new();
    if let Some(projection) = &scan.projection {
        let mut indices = projection.clone();
        indices.push(input.fields().len());
        steps.push(Step::Select(indices));
    }
    Ok(vec![Branch {
        source,
        steps,
        schema,
    }])
}

fn unnest_step(unnest: &Unnest, before: &DFSchema, after: &DFSchema) -> Step {
    let loose = |schema: &DFSchema| {
        let fields: Vec<_> = schema
            .fields()
            .iter()
            .map(|f| f.as_ref().clone().with_nullable(true))
            .collect();
        Arc::new(Schema::new(fields))
    };
    if let ([(column, list)], []) = (
        unnest.list_type_columns.as_slice(),
        unnest.struct_type_columns.as_slice(),
    ) {
        if list.depth == 1 && matches!(before.field(*column).data_type(), DataType::List(_)) {
            return Step::UnnestList {
                column: *column,
                null_handling: unnest.options.null_handling,
                schema: loose(after),
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
        schema: loose(after),
    }
}

fn df_with_row(schema: &DFSchema) -> DfResult<DFSchemaRef> {
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

fn with_row(schema: &SchemaRef) -> SchemaRef {
    let mut fields: Vec<FieldRef> = schema.fields().iter().cloned().collect();
    fields.push(Arc::new(Field::new(ROW, DataType::Int32, false)));
    Arc::new(Schema::new(fields))
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

// ---- explain

fn tree(plan: &LogicalPlan) -> serde_json::Value {
    let shown = |expressions: &[Expr]| expressions.iter().map(show).collect::<Vec<_>>().join(", ");
    let inputs = || plan.inputs().into_iter().map(tree).collect::<Vec<_>>();
    match plan {
        LogicalPlan::SubqueryAlias(alias) => tree(&alias.input),
        LogicalPlan::Union(_) => json!({"node": "union", "detail": "ALL", "inputs": inputs()}),
        LogicalPlan::Filter(filter) => {
            json!({"node": "filter", "detail": show(&filter.predicate), "inputs": inputs()})
        }
        LogicalPlan::Projection(projection) => {
            json!({"node": "project", "detail": shown(&projection.expr), "inputs": inputs()})
        }
        LogicalPlan::Unnest(unnest) => {
            let columns: Vec<_> = unnest
                .exec_columns
                .iter()
                .map(|c| c.name.as_str())
                .collect();
            json!({"node": "unnest", "detail": columns.join(", "), "inputs": inputs()})
        }
        LogicalPlan::TableScan(scan) => {
            let columns: Vec<_> = scan
                .projected_schema
                .fields()
                .iter()
                .map(|f| f.name().as_str())
                .collect();
            json!({"node": "source", "detail": format!("{} ({})", scan.table_name.table(), columns.join(", ")),
                   "inputs": []})
        }
        _ => json!({"node": "empty", "detail": "no row can come out", "inputs": []}),
    }
}

fn show(expression: &Expr) -> String {
    match expression {
        Expr::Alias(alias) => format!("{} AS {}", show(&alias.expr), alias.name),
        // As SQL, so that casts are seen; what has no SQL form keeps DataFusion's words.
        other => match datafusion::sql::unparser::expr_to_sql(other) {
            Ok(sql) => sql.to_string(),
            Err(_) => other.human_display().to_string(),
        },
    }
}
