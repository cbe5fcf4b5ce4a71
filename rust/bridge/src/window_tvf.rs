//! Window table functions: TUMBLE, HOP, CUMULATE and SESSION as nodes of the logical plan, that give a table's rows
//! with the columns window_start, window_end and window_time behind them. What can be said of the time column is said
//! when the graph is built (times.rs): here only the input's names are known.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion::common::{
    plan_datafusion_err, plan_err, DFSchema, DFSchemaRef, DataFusionError, Diagnostic, Result,
    ScalarValue, Span, TableReference,
};
use datafusion::logical_expr::planner::{
    PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning,
};
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, UserDefinedLogicalNodeCore};
use datafusion::sql::sqlparser::ast::{
    Expr as SqlExpr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName,
    Query, SetExpr, Spanned, Statement, TableAlias, TableFactor, VisitMut, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

/// What src/config/query_text.cpp writes for `TABLE t PARTITION BY a` and for `t FOR SYSTEM_TIME AS OF o.p`.
const PARTITIONED: &str = "_weir_partitioned";
pub const LOOKUP: &str = "_weir_lookup";

pub const WINDOW_COLUMNS: [&str; 3] = ["window_start", "window_end", "window_time"];

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Assigner {
    Tumble,
    Hop,
    Cumulate,
    Session,
}

impl Assigner {
    fn of(name: &str) -> Option<Self> {
        Some(match name.to_ascii_uppercase().as_str() {
            "TUMBLE" => Assigner::Tumble,
            "HOP" => Assigner::Hop,
            "CUMULATE" => Assigner::Cumulate,
            "SESSION" => Assigner::Session,
            _ => return None,
        })
    }
    pub fn name(self) -> &'static str {
        match self {
            Assigner::Tumble => "tumble",
            Assigner::Hop => "hop",
            Assigner::Cumulate => "cumulate",
            Assigner::Session => "session",
        }
    }
}

/// Lengths are microseconds; of a session `size_us` is the gap. `slide_us`: of hop the slide, of cumulate the step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WindowShape {
    pub assigner: Assigner,
    pub size_us: i64,
    pub slide_us: i64,
    pub offset_us: i64,
}

impl WindowShape {
    /// The windows of one moment, earliest end last for hop, earliest first for cumulate.
    pub fn windows_of(&self, time_us: i64, mut each: impl FnMut(i64, i64)) {
        let floor = |step: i64| (time_us - self.offset_us).div_euclid(step) * step + self.offset_us;
        match self.assigner {
            Assigner::Tumble | Assigner::Session => {
                let start = floor(self.size_us);
                each(start, start + self.size_us);
            }
            Assigner::Hop => {
                let mut start = floor(self.slide_us);
                while start > time_us - self.size_us {
                    each(start, start + self.size_us);
                    start -= self.slide_us;
                }
            }
            Assigner::Cumulate => {
                let start = floor(self.size_us);
                let mut end = start + ((time_us - start) / self.slide_us + 1) * self.slide_us;
                while end <= start + self.size_us {
                    each(start, end);
                    end += self.slide_us;
                }
            }
        }
    }
}

impl fmt::Display for WindowShape {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} {}", self.assigner.name(), duration(self.size_us))?;
        if self.slide_us > 0 {
            write!(f, " every {}", duration(self.slide_us))?;
        }
        if self.offset_us != 0 {
            write!(f, " offset {}", duration(self.offset_us))?;
        }
        Ok(())
    }
}

/// "10 s"
pub fn duration(us: i64) -> String {
    for (unit, name) in [
        (86_400_000_000, "d"),
        (3_600_000_000, "h"),
        (60_000_000, "min"),
        (1_000_000, "s"),
        (1_000, "ms"),
    ] {
        if us != 0 && us % unit == 0 {
            return format!("{} {name}", us / unit);
        }
    }
    format!("{us} us")
}

/// The table function over its input.
#[derive(Debug, Clone)]
pub struct WindowTvf {
    pub input: Arc<LogicalPlan>,
    pub shape: WindowShape,
    pub time: Expr,
    /// Of a session.
    pub partition: Vec<Expr>,
    schema: DFSchemaRef,
}

pub fn window_type() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, None)
}

impl WindowTvf {
    pub fn new(
        input: Arc<LogicalPlan>,
        shape: WindowShape,
        time: Expr,
        partition: Vec<Expr>,
    ) -> Result<Self> {
        let mut fields: Vec<(Option<TableReference>, FieldRef)> = input
            .schema()
            .iter()
            .map(|(qualifier, field)| (qualifier.cloned(), field.clone()))
            .collect();
        for name in WINDOW_COLUMNS {
            fields.push((None, Arc::new(Field::new(name, window_type(), true))));
        }
        let schema = DFSchema::new_with_metadata(fields, Default::default())?;
        Ok(WindowTvf {
            input,
            shape,
            time,
            partition,
            schema: Arc::new(schema),
        })
    }

    pub fn of(plan: &LogicalPlan) -> Option<&WindowTvf> {
        match plan {
            LogicalPlan::Extension(extension) => extension.node.as_any().downcast_ref(),
            _ => None,
        }
    }

    pub fn column(&self, expression: &Expr) -> Result<usize> {
        match expression {
            Expr::Column(column) => self.input.schema().index_of_column(column),
            other => plan_err!("{other} is no column"),
        }
    }

    /// One that tells this window apart from others of a query.
    pub fn id(&self) -> u64 {
        let mut hasher = std::hash::DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }
}

impl PartialEq for WindowTvf {
    fn eq(&self, other: &Self) -> bool {
        self.input == other.input
            && self.shape == other.shape
            && self.time == other.time
            && self.partition == other.partition
    }
}
impl Eq for WindowTvf {}
impl Hash for WindowTvf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.input.hash(state);
        self.shape.hash(state);
        self.time.hash(state);
        self.partition.hash(state);
    }
}
impl PartialOrd for WindowTvf {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for WindowTvf {
    fn name(&self) -> &str {
        "WindowTvf"
    }
    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }
    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }
    fn expressions(&self) -> Vec<Expr> {
        let mut expressions = vec![self.time.clone()];
        expressions.extend(self.partition.iter().cloned());
        expressions
    }
    /// Rows that a filter takes out below would be missing in a session's chain of rows.
    fn prevent_predicate_push_down_columns(&self) -> HashSet<String> {
        let mut kept: HashSet<String> = WINDOW_COLUMNS.iter().map(|n| n.to_string()).collect();
        if self.shape.assigner == Assigner::Session {
            let partition: HashSet<_> = self
                .partition
                .iter()
                .filter_map(|p| self.column(p).ok())
                .collect();
            for (index, field) in self.input.schema().fields().iter().enumerate() {
                if !partition.contains(&index) {
                    kept.insert(field.name().clone());
                }
            }
        }
        kept
    }
    fn fmt_for_explain(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "WindowTvf: {} on {}", self.shape, self.time)
    }
    fn with_exprs_and_inputs(
        &self,
        mut expressions: Vec<Expr>,
        mut inputs: Vec<LogicalPlan>,
    ) -> Result<Self> {
        if expressions.is_empty() || inputs.len() != 1 {
            return plan_err!("a window function has one input and a time column");
        }
        let time = expressions.remove(0);
        Self::new(Arc::new(inputs.remove(0)), self.shape, time, expressions)
    }
    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let count = self.input.schema().fields().len();
        let mut needed: Vec<usize> = output_columns
            .iter()
            .copied()
            .filter(|c| *c < count)
            .collect();
        for expression in self.expressions() {
            needed.push(self.column(&expression).ok()?);
        }
        needed.sort_unstable();
        needed.dedup();
        Some(vec![needed])
    }
}

// ---- SQL

#[derive(Debug, Default)]
pub struct WindowPlanner;

impl RelationPlanner for WindowPlanner {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        let (name, arguments, alias) = match &relation {
            TableFactor::TableFunction {
                expr: SqlExpr::Function(function),
                alias,
            } => (&function.name, listed(function)?, alias),
            TableFactor::Table {
                name,
                args: Some(arguments),
                alias,
                ..
            } => (name, arguments.args.clone(), alias),
            _ => return Ok(RelationPlanning::Original(Box::new(relation))),
        };
        let word = name.to_string();
        let Some(assigner) = Assigner::of(&word) else {
            if matches!(relation, TableFactor::TableFunction { .. }) {
                let message = format!(
                    "there is no table function '{word}': TUMBLE, HOP, CUMULATE and SESSION are"
                );
                return Err(at(name.span(), message));
            }
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        let plan = Call::read(assigner, name, arguments)?.plan(context)?;
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(
            plan,
            alias.clone(),
        ))))
    }
}

pub fn at(
    span: datafusion::sql::sqlparser::tokenizer::Span,
    message: impl Into<String>,
) -> DataFusionError {
    let message = message.into();
    plan_datafusion_err!("{message}").with_diagnostic(Diagnostic::new_error(
        message,
        Span::try_from_sqlparser_span(span),
    ))
}

fn listed(function: &Function) -> Result<Vec<FunctionArg>> {
    match &function.args {
        FunctionArguments::List(list) => Ok(list.args.clone()),
        _ => Err(at(
            function.name.span(),
            format!("{} takes a list of arguments", function.name),
        )),
    }
}

/// The arguments in the order of `names`.
struct Call {
    assigner: Assigner,
    name: ObjectName,
    arguments: Vec<Option<SqlExpr>>,
}

fn parameters(assigner: Assigner) -> &'static [&'static str] {
    match assigner {
        Assigner::Tumble => &["DATA", "TIMECOL", "SIZE", "OFFSET"],
        Assigner::Hop => &["DATA", "TIMECOL", "SLIDE", "SIZE", "OFFSET"],
        Assigner::Cumulate => &["DATA", "TIMECOL", "STEP", "SIZE", "OFFSET"],
        Assigner::Session => &["DATA", "TIMECOL", "GAP"],
    }
}

fn form(assigner: Assigner) -> &'static str {
    match assigner {
        Assigner::Tumble => "TUMBLE(TABLE t, DESCRIPTOR(time_column), INTERVAL '1' MINUTE)",
        Assigner::Hop => {
            "HOP(TABLE t, DESCRIPTOR(time_column), INTERVAL '1' MINUTE, INTERVAL '10' MINUTE), the slide first"
        }
        Assigner::Cumulate => {
            "CUMULATE(TABLE t, DESCRIPTOR(time_column), INTERVAL '1' MINUTE, INTERVAL '10' MINUTE), the step first"
        }
        Assigner::Session => {
            "SESSION(TABLE t PARTITION BY k, DESCRIPTOR(time_column), INTERVAL '5' MINUTE)"
        }
    }
}

impl Call {
    fn read(assigner: Assigner, name: &ObjectName, given: Vec<FunctionArg>) -> Result<Self> {
        let names = parameters(assigner);
        let mut arguments: Vec<Option<SqlExpr>> = vec![None; names.len()];
        let wrong =
            |what: String| Err(at(name.span(), format!("{what}; it is {}", form(assigner))));
        for (index, argument) in given.into_iter().enumerate() {
            let (position, value) = match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) => (index, value),
                FunctionArg::Named {
                    name: label,
                    arg: FunctionArgExpr::Expr(value),
                    ..
                } => {
                    let label = label.value.to_ascii_uppercase();
                    match names.iter().position(|n| *n == label) {
                        Some(position) => (position, value),
                        None => return wrong(format!("{name} has no argument {label}")),
                    }
                }
                _ => return wrong(format!("{name} does not take this argument")),
            };
            if position >= names.len() || arguments[position].is_some() {
                return wrong(format!("{name} has too many arguments"));
            }
            arguments[position] = Some(value);
        }
        let required = names.len() - usize::from(names.last() == Some(&"OFFSET"));
        if arguments[..required].iter().any(Option::is_none) {
            return wrong(format!("{name} lacks an argument"));
        }
        Ok(Call {
            assigner,
            name: name.clone(),
            arguments,
        })
    }

    fn plan(mut self, context: &mut dyn RelationPlannerContext) -> Result<LogicalPlan> {
        let data = self.take("DATA");
        let (table, partition_names) = match unnested(data) {
            SqlExpr::Function(function) if is_word(&function.name, PARTITIONED) => {
                let mut parts = listed(&function)?
                    .into_iter()
                    .map(|argument| match argument {
                        FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) => Ok(unnested(value)),
                        _ => Err(at(function.name.span(), "PARTITION BY takes columns")),
                    });
                let table = parts.next().transpose()?;
                let columns = parts.collect::<Result<Vec<_>>>()?;
                let Some(table) = table else {
                    return Err(at(function.name.span(), "a table is expected here"));
                };
                (table, columns)
            }
            other => (other, vec![]),
        };
        if !partition_names.is_empty() && self.assigner != Assigner::Session {
            return Err(at(
                self.name.span(),
                format!(
                    "{} takes no PARTITION BY: write the columns into GROUP BY",
                    self.name
                ),
            ));
        }
        let input = context.plan(factor_of(table)?)?;
        let time = self.descriptor(&input, context)?;
        let mut partition = Vec::new();
        for column in partition_names {
            let span = column.span();
            match context.sql_to_expr(column, input.schema())? {
                expression @ Expr::Column(_) => partition.push(expression),
                _ => return Err(at(span, "PARTITION BY takes columns")),
            }
        }
        let shape = self.shape(context)?;
        let node = WindowTvf::new(Arc::new(input), shape, time, partition)?;
        Ok(LogicalPlan::Extension(Extension {
            node: Arc::new(node),
        }))
    }

    fn take(&mut self, parameter: &str) -> SqlExpr {
        let position = parameters(self.assigner)
            .iter()
            .position(|n| *n == parameter);
        let taken = position.and_then(|p| self.arguments[p].take());
        taken.expect("required arguments were checked")
    }

    fn descriptor(
        &mut self,
        input: &LogicalPlan,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<Expr> {
        let descriptor = self.take("TIMECOL");
        let span = descriptor.span();
        let wrong = || {
            at(
                span,
                format!(
                    "DESCRIPTOR(column) is expected here; {} is {}",
                    self.name,
                    form(self.assigner)
                ),
            )
        };
        let SqlExpr::Function(function) = descriptor else {
            return Err(wrong());
        };
        if !function.name.to_string().eq_ignore_ascii_case("DESCRIPTOR") {
            return Err(wrong());
        }
        let mut arguments = listed(&function)?;
        let (Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(column))), true) =
            (arguments.pop(), arguments.is_empty())
        else {
            return Err(wrong());
        };
        let column_span = column.span();
        let expression = context.sql_to_expr(column, input.schema())?;
        let Expr::Column(_) = &expression else {
            return Err(wrong());
        };
        crate::times::check_descriptor(input, &expression)
            .map_err(|words| at(column_span, words))?;
        Ok(expression)
    }

    fn shape(&mut self, context: &mut dyn RelationPlannerContext) -> Result<WindowShape> {
        let mut lengths = Vec::new();
        for (position, parameter) in parameters(self.assigner).iter().enumerate().skip(2) {
            let Some(argument) = self.arguments[position].take() else {
                lengths.push(0);
                continue;
            };
            let span = argument.span();
            let expression = context.sql_to_expr(argument, &DFSchema::empty())?;
            let Some(length) = interval_us(&expression) else {
                let message = format!(
                    "{parameter} of {} is an INTERVAL of days or less, for instance INTERVAL '10' SECOND",
                    self.name
                );
                return Err(at(span, message));
            };
            if length <= 0 && *parameter != "OFFSET" {
                return Err(at(
                    span,
                    format!("{parameter} of {} must be above 0", self.name),
                ));
            }
            if length % 1000 != 0 {
                return Err(at(
                    span,
                    format!("{parameter} of {} is whole milliseconds", self.name),
                ));
            }
            lengths.push(length);
        }
        lengths.resize(3, 0);
        let (size_us, slide_us, offset_us) = match self.assigner {
            Assigner::Tumble => (lengths[0], 0, lengths[1]),
            Assigner::Session => (lengths[0], 0, 0),
            Assigner::Hop | Assigner::Cumulate => (lengths[1], lengths[0], lengths[2]),
        };
        if slide_us > 0 && size_us % slide_us != 0 {
            let (small, hint) = match self.assigner {
                Assigner::Hop => ("slide", "HOP(TABLE t, DESCRIPTOR(c), slide, size)"),
                _ => ("step", "CUMULATE(TABLE t, DESCRIPTOR(c), step, size)"),
            };
            return Err(at(
                self.name.span(),
                format!(
                    "the size of {} ({}) must be a multiple of its {small} ({}): {hint}",
                    self.name,
                    duration(size_us),
                    duration(slide_us)
                ),
            ));
        }
        Ok(WindowShape {
            assigner: self.assigner,
            size_us,
            slide_us,
            offset_us,
        })
    }
}

fn unnested(expression: SqlExpr) -> SqlExpr {
    match expression {
        SqlExpr::Nested(inner) => unnested(*inner),
        other => other,
    }
}

/// The alias by which a table in an argument is known again.
const ARGUMENT: &str = "_weir_argument";

/// Tables that stand as arguments become queries: DataFusion looks only up what it finds behind a FROM.
pub fn wrap_table_arguments(query: &mut Query) {
    struct Wrap;
    impl VisitorMut for Wrap {
        type Break = ();
        fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
            match factor {
                TableFactor::TableFunction {
                    expr: SqlExpr::Function(call),
                    ..
                } => {
                    if let FunctionArguments::List(list) = &mut call.args {
                        wrap_first(&mut list.args);
                    }
                }
                TableFactor::Table {
                    name,
                    args: Some(arguments),
                    ..
                } if Assigner::of(&name.to_string()).is_some() || is_word(name, LOOKUP) => {
                    wrap_first(&mut arguments.args)
                }
                _ => {}
            }
            ControlFlow::Continue(())
        }
    }
    let _ = query.visit(&mut Wrap);
}

fn is_word(name: &ObjectName, word: &str) -> bool {
    name.to_string() == word
}

fn wrap_first(arguments: &mut [FunctionArg]) {
    let Some(position) = arguments.iter().position(|argument| match argument {
        FunctionArg::Named { name, .. } => name.value.eq_ignore_ascii_case("DATA"),
        FunctionArg::Unnamed(_) => true,
        _ => false,
    }) else {
        return;
    };
    match &mut arguments[position] {
        FunctionArg::Named {
            arg: FunctionArgExpr::Expr(data),
            ..
        }
        | FunctionArg::Unnamed(FunctionArgExpr::Expr(data)) => wrap(data),
        _ => {}
    }
}

fn wrap(data: &mut SqlExpr) {
    let parts = match data {
        SqlExpr::Nested(inner) => return wrap(inner),
        SqlExpr::Function(call) if is_word(&call.name, PARTITIONED) => {
            if let FunctionArguments::List(list) = &mut call.args {
                wrap_first(&mut list.args);
            }
            return;
        }
        SqlExpr::Identifier(name) => vec![name.clone()],
        SqlExpr::CompoundIdentifier(names) => names.clone(),
        _ => return,
    };
    let text = format!("SELECT * FROM x AS {ARGUMENT}");
    let Ok(mut parsed) = Parser::parse_sql(&GenericDialect {}, &text) else {
        return;
    };
    if let Some(Statement::Query(mut query)) = parsed.pop() {
        if let SetExpr::Select(select) = query.body.as_mut() {
            if let Some(TableFactor::Table { name, .. }) =
                select.from.first_mut().map(|from| &mut from.relation)
            {
                *name = ObjectName::from(parts);
            }
        }
        *data = SqlExpr::Subquery(query);
    }
}

/// The table that wrap() put into a query.
fn wrapped(query: &Query) -> Option<Vec<Ident>> {
    let SetExpr::Select(select) = query.body.as_ref() else {
        return None;
    };
    match &select.from.first()?.relation {
        TableFactor::Table {
            name,
            alias: Some(alias),
            ..
        } if alias.name.value == ARGUMENT => {
            let parts = name.0.iter().filter_map(|part| part.as_ident().cloned());
            Some(parts.collect())
        }
        _ => None,
    }
}

/// What stands for a table in an argument.
pub fn factor_of(expression: SqlExpr) -> Result<TableFactor> {
    let span = expression.span();
    let parts: Vec<Ident> = match expression {
        SqlExpr::Identifier(name) => vec![name],
        SqlExpr::CompoundIdentifier(names) => names,
        SqlExpr::Subquery(subquery) if wrapped(&subquery).is_some() => {
            wrapped(&subquery).unwrap_or_default()
        }
        SqlExpr::Subquery(subquery) => {
            return Ok(TableFactor::Derived {
                lateral: false,
                subquery,
                alias: None::<TableAlias>,
                sample: None,
            })
        }
        _ => return Err(at(span, "a table is expected here: TABLE t")),
    };
    Ok(TableFactor::Table {
        name: ObjectName::from(parts),
        alias: None,
        args: None,
        with_hints: vec![],
        version: None,
        with_ordinality: false,
        partitions: vec![],
        json_path: None,
        sample: None,
        index_hints: vec![],
    })
}

/// Microseconds of a constant interval without months.
pub fn interval_us(expression: &Expr) -> Option<i64> {
    match expression {
        Expr::Negative(inner) => interval_us(inner)?.checked_neg(),
        Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(value)), _) => {
            if value.months != 0 || value.nanoseconds % 1000 != 0 {
                return None;
            }
            (value.days as i64)
                .checked_mul(86_400_000_000)?
                .checked_add(value.nanoseconds / 1000)
        }
        Expr::Literal(ScalarValue::IntervalDayTime(Some(value)), _) => {
            Some(value.days as i64 * 86_400_000_000 + value.milliseconds as i64 * 1000)
        }
        Expr::Literal(ScalarValue::DurationMicrosecond(Some(value)), _) => Some(*value),
        Expr::Literal(ScalarValue::DurationMillisecond(Some(value)), _) => value.checked_mul(1000),
        _ => None,
    }
}
