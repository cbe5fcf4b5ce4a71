//! GROUP BY, DISTINCT and TopN -> nodes of the graph.

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::{plan_err, Result, ScalarValue};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::utils::split_conjunction_owned;
use datafusion::logical_expr::{
    Aggregate, BinaryExpr, Expr, Filter, LogicalPlan, Operator, Window, WindowFunctionDefinition,
};
use std::sync::Arc;

use crate::chain::{column_of, Work};
use crate::graph::{Builder, Call, Late, Node, Rel, SortColumn, Window as Spec};
use crate::times::{grouping, traits, Grouping, Part, Trait, WindowOf};
use crate::tree::show;
use crate::widen::signed;

const CALLS: &str =
    "COUNT, SUM, AVG, MIN, MAX, FIRST_VALUE, LAST_VALUE, STRING_AGG, LISTAGG, ARRAY_AGG, \
                     STDDEV_SAMP, STDDEV_POP, VAR_SAMP, VAR_POP";

fn function_of(name: &str) -> Option<&'static str> {
    Some(match name {
        "count" => "count",
        "sum" => "sum",
        "avg" | "mean" => "avg",
        "min" => "min",
        "max" => "max",
        "first_value" => "first_value",
        "last_value" => "last_value",
        "string_agg" => "string_agg",
        "array_agg" => "array_agg",
        "stddev" | "stddev_samp" => "stddev_samp",
        "stddev_pop" => "stddev_pop",
        "var" | "var_samp" | "var_sample" => "var_samp",
        "var_pop" | "var_population" => "var_pop",
        _ => return None,
    })
}

fn aggregate_call(expression: &Expr) -> Result<&AggregateFunction> {
    match expression {
        Expr::Alias(alias) => aggregate_call(&alias.expr),
        Expr::AggregateFunction(call) => Ok(call),
        other => plan_err!("{other} is no aggregate"),
    }
}

/// What an aggregate reads: the call, its arguments and its filter as expressions.
struct Wanted {
    function: &'static str,
    arguments: Vec<Expr>,
    filter: Option<Expr>,
    distinct: bool,
    separator: String,
}

fn wanted_of(call: &AggregateFunction) -> std::result::Result<Wanted, String> {
    let name = call.func.name().to_lowercase();
    let Some(function) = function_of(&name) else {
        return Err(format!(
            "the aggregate function {} is not in this version; these are: {CALLS}",
            name.to_uppercase()
        ));
    };
    if !call.params.order_by.is_empty() {
        return Err(format!(
            "ORDER BY within {} is not in this version",
            name.to_uppercase()
        ));
    }
    if call.params.null_treatment.is_some() {
        return Err(format!(
            "IGNORE NULLS and RESPECT NULLS of {} are not in this version",
            name.to_uppercase()
        ));
    }
    let mut arguments = call.params.args.clone();
    let mut separator = String::new();
    if function == "string_agg" {
        match arguments.pop() {
            Some(Expr::Literal(
                ScalarValue::Utf8(Some(text))
                | ScalarValue::LargeUtf8(Some(text))
                | ScalarValue::Utf8View(Some(text)),
                _,
            )) if arguments.len() == 1 => separator = text,
            _ => {
                return Err(format!(
                    "the separator of STRING_AGG and LISTAGG is a constant text"
                ))
            }
        }
    }
    // count(1) counts rows.
    if function == "count" && !call.params.distinct {
        arguments.retain(|a| !matches!(a, Expr::Literal(value, _) if !value.is_null()));
    }
    Ok(Wanted {
        function,
        arguments,
        filter: call.params.filter.as_deref().cloned(),
        distinct: call.params.distinct && function != "min" && function != "max",
        separator,
    })
}

impl Builder<'_> {
    pub fn aggregate(&mut self, aggregate: &Aggregate) -> Result<Rel> {
        if aggregate
            .group_expr
            .iter()
            .any(|key| matches!(key, Expr::GroupingSet(_)))
        {
            return self.refused(
                &[],
                &["GROUP"],
                format!("GROUPING SETS, ROLLUP and CUBE are not in this version"),
            );
        }
        let below = traits(&aggregate.input)?;
        let schema = aggregate.input.schema();
        let keys: Vec<Trait> = aggregate
            .group_expr
            .iter()
            .map(|key| column_of(key, schema).map_or(Trait::Plain, |c| below[c]))
            .collect();
        let window = match grouping(&keys) {
            Grouping::Window(window) => Some(window),
            Grouping::HalfWindow(part) => {
                let (found, missing) = match part {
                    Part::Start => ("window_start", "window_end"),
                    Part::End => ("window_end", "window_start"),
                    Part::Time => ("window_time", "window_start and window_end"),
                };
                return self.refused(&aggregate.group_expr, &["GROUP"], format!("GROUP BY has {found} but not {missing} of that window: a window is told by both, write \
                     GROUP BY window_start, window_end"));
            }
            Grouping::Unbounded => None,
        };
        let rel = self.build(&aggregate.input)?;
        if rel.changelog {
            return self.refused(&aggregate.group_expr, &["GROUP"], format!("GROUP BY over a changelog (what a GROUP BY without a window, or a changelog source, gives) is \
                 not in this version: put a window around the inner one"));
        }
        match window {
            Some(window) => self.window_aggregate(aggregate, rel, &keys, window),
            None => self.plain_aggregate(aggregate, rel),
        }
    }

    fn calls(&self, aggregate: &Aggregate) -> Result<Vec<Wanted>> {
        let mut calls = Vec::new();
        for expression in &aggregate.aggr_expr {
            let call = aggregate_call(expression)?;
            match wanted_of(call) {
                Ok(wanted) => calls.push(wanted),
                Err(words) => return self.refused(&[], &[call.func.name()], words),
            }
        }
        Ok(calls)
    }

    fn window_aggregate(
        &mut self,
        aggregate: &Aggregate,
        rel: Rel,
        keys: &[Trait],
        window: WindowOf,
    ) -> Result<Rel> {
        let part_of = |key: &Trait| match key {
            Trait::Window(part, of) if of.id == window.id => Some(*part),
            _ => None,
        };
        let calls = self.calls(aggregate)?;
        let window_columns: Vec<&'static str> = keys
            .iter()
            .filter_map(|key| part_of(key))
            .map(|part| match part {
                Part::Start => "start",
                Part::End => "end",
                Part::Time => "time",
            })
            .collect();
        let plain_keys: Vec<Expr> = aggregate
            .group_expr
            .iter()
            .zip(keys)
            .filter(|(_, key)| part_of(key).is_none())
            .map(|(expression, _)| expression.clone())
            .collect();
        let mut wanted = plain_keys.clone();
        for call in &calls {
            wanted.extend(call.arguments.iter().cloned());
            wanted.extend(call.filter.iter().cloned());
        }
        let fused = fused_window(&rel, &wanted, window.id);
        let (key, made) = self.key(
            "window_aggregate",
            &rel,
            &plain_keys,
            &calls,
            &window_columns,
        );
        let carried = match fused.is_some() || rel.from_source() {
            true => rel.carrying_time(window.id),
            false => None,
        };
        let fused = fused.filter(|_| carried.is_some());
        if window.session && fused.is_none() {
            return self.refused(&[], &["SESSION"], format!("a SESSION is grouped right where it is made, by window_start, window_end and its PARTITION BY \
                 columns: what lies between (a condition or an expression on the window's columns) is not possible"));
        }
        let edge = |part: Part| {
            let position = keys.iter().position(|key| part_of(key) == Some(part));
            position.map(|p| aggregate.group_expr[p].clone())
        };
        // Behind keys, arguments and filters: the time, or start and end of the window that rows carry.
        let mut extra: Vec<Expr> = Vec::new();
        match &fused {
            Some(fused) if window.session => {
                if let Err(words) = check_session(&plain_keys, &rel, fused) {
                    return self.refused(&[], &["SESSION"], words);
                }
            }
            Some(_) => {}
            None => extra.extend([Part::Start, Part::End].into_iter().filter_map(edge)),
        }
        let rel = match carried {
            Some((carrying, time)) if !window.processing => {
                extra.push(time);
                carrying
            }
            _ => rel,
        };
        let node = match made {
            Some(node) => node,
            None => {
                let offset = wanted.len();
                wanted.extend(extra);
                let id = fused.as_ref().map(|_| window.id);
                let input = self.input(rel, &wanted, false, id)?;
                let spec = match &fused {
                    Some(fused) => {
                        let time = input.columns.get(offset).copied();
                        Spec::assigned(&fused.shape, time, window.tick_us, window.processing)
                    }
                    None => Spec::attached(
                        input.columns[offset],
                        input.columns[offset + 1],
                        window.tick_us,
                        window.processing,
                    ),
                };
                if !window.processing {
                    match (&fused, input.columns.get(offset)) {
                        (Some(_), Some(time)) => {
                            self.mark_late(input.node, *time, &Late::Window(spec.clone()))
                        }
                        (None, _) => self.mark_attached(
                            input.node,
                            &spec,
                            input.columns.get(offset + 2).copied(),
                        ),
                        _ => {}
                    }
                }
                let mut node = self.aggregate_node(
                    "window_aggregate",
                    aggregate,
                    &plain_keys,
                    &calls,
                    &window_columns,
                    input.node,
                    &input.columns,
                )?;
                node.detail = match &fused {
                    Some(fused) => format!("{}; {}", fused.shape, node.detail),
                    None => format!("of its windows; {}", node.detail),
                };
                node.window = Some(spec);
                self.add(node, Some(key))
            }
        };
        // Group expressions in their order, then aggregates.
        let (mut plain, mut edges) = (0, plain_keys.len());
        let mut columns = Vec::new();
        for key in keys {
            let next = if part_of(key).is_some() {
                &mut edges
            } else {
                &mut plain
            };
            columns.push(*next);
            *next += 1;
        }
        columns.extend((0..calls.len()).map(|i| keys.len() + i));
        Ok(self.behind(node, columns, aggregate.schema.clone()))
    }

    fn plain_aggregate(&mut self, aggregate: &Aggregate, rel: Rel) -> Result<Rel> {
        let calls = self.calls(aggregate)?;
        if rel.chains.iter().any(|c| {
            c.steps
                .iter()
                .any(|s| matches!(s, Work::Window { shape, .. } if shape.assigner == crate::window_tvf::Assigner::Session))
        }) {
            return self.refused(&[], &["SESSION"], format!("a SESSION is grouped by window_start, window_end and its PARTITION BY columns"));
        }
        let mut wanted = aggregate.group_expr.clone();
        for call in &calls {
            wanted.extend(call.arguments.iter().cloned());
            wanted.extend(call.filter.iter().cloned());
        }
        let (key, made) = self.key("aggregate", &rel, &aggregate.group_expr, &calls, &[]);
        let node = match made {
            Some(node) => node,
            None => {
                let input = self.input(rel, &wanted, false, None)?;
                let mut node = self.aggregate_node(
                    "aggregate",
                    aggregate,
                    &aggregate.group_expr,
                    &calls,
                    &[],
                    input.node,
                    &input.columns,
                )?;
                node.changelog = true;
                let collects = |call: &Wanted| {
                    call.distinct || ["array_agg", "string_agg"].contains(&call.function)
                };
                if aggregate.group_expr.is_empty() && calls.iter().any(collects) {
                    node.unbounded = "an aggregate that collects values keeps them for ever".into();
                    (node.line, node.column) = self.place_of(&[], &["DISTINCT", "SELECT"]);
                }
                if !aggregate.group_expr.is_empty() {
                    let keys: Vec<String> = aggregate.group_expr.iter().map(show).collect();
                    let what = match calls.is_empty() {
                        true => "DISTINCT",
                        false => "GROUP BY",
                    };
                    node.unbounded =
                        format!("{what} {} keeps every group for ever", keys.join(", "));
                    (node.line, node.column) =
                        self.place_of(&aggregate.group_expr, &["GROUP", "DISTINCT"]);
                }
                self.add(node, Some(key))
            }
        };
        let columns = (0..aggregate.schema.fields().len()).collect();
        Ok(self.behind(node, columns, aggregate.schema.clone()))
    }

    fn key(
        &self,
        kind: &str,
        rel: &Rel,
        keys: &[Expr],
        calls: &[Wanted],
        window_columns: &[&'static str],
    ) -> (String, Option<usize>) {
        let listed = |expressions: &[Expr]| {
            let texts: Vec<String> = expressions.iter().map(|e| e.to_string()).collect();
            texts.join(", ")
        };
        let calls: Vec<String> = calls
            .iter()
            .map(|call| {
                let filter: Vec<Expr> = call.filter.iter().cloned().collect();
                format!(
                    "{}({}) {} {:?} {}",
                    call.function,
                    listed(&call.arguments),
                    call.distinct,
                    call.separator,
                    listed(&filter)
                )
            })
            .collect();
        let key = format!(
            "{kind} of {} by {} {window_columns:?}: {}",
            rel.key(),
            listed(keys),
            calls.join("; ")
        );
        let key = canonical(&key);
        let made = self.made(&key);
        (key, made)
    }

    #[allow(clippy::too_many_arguments)]
    fn aggregate_node(
        &self,
        kind: &'static str,
        aggregate: &Aggregate,
        keys: &[Expr],
        calls: &[Wanted],
        window_columns: &[&'static str],
        input: usize,
        columns: &[usize],
    ) -> Result<Node> {
        let mut fields: Vec<Field> = Vec::new();
        let input_schema = &self.nodes[input].schema;
        for (key, column) in keys.iter().zip(columns) {
            let name = match key {
                Expr::Column(column) => column.name.clone(),
                other => show(other),
            };
            let kind = input_schema.field(*column).data_type();
            fields.push(Field::new(name, kind.clone(), true));
        }
        for part in window_columns {
            let name = format!("window_{part}");
            fields.push(Field::new(name, crate::window_tvf::window_type(), true));
        }
        let mut position = keys.len();
        let mut made = Vec::new();
        for (index, call) in calls.iter().enumerate() {
            let field = aggregate.schema.field(aggregate.group_expr.len() + index);
            fields.push(Field::new(field.name(), signed(field.data_type()), true));
            let arguments = columns[position..position + call.arguments.len()].to_vec();
            position += call.arguments.len();
            let filter = match call.filter {
                Some(_) => {
                    position += 1;
                    columns[position - 1] as i64
                }
                None => -1,
            };
            made.push(Call {
                function: call.function,
                arguments,
                filter,
                distinct: call.distinct,
                separator: call.separator.clone(),
            });
        }
        let mut node = Node::new(kind, vec![input], Arc::new(Schema::new(fields)));
        node.keys = columns[..keys.len()].to_vec();
        node.window_columns = window_columns.to_vec();
        node.aggregates = made;
        let keys: Vec<String> = keys.iter().map(show).collect();
        let calls: Vec<String> = aggregate.aggr_expr.iter().map(show).collect();
        let mut words = Vec::new();
        if !keys.is_empty() {
            words.push(format!("by {}", keys.join(", ")));
        }
        if !calls.is_empty() {
            words.push(calls.join(", "));
        }
        node.detail = words.join("; ");
        Ok(node)
    }

    // ---- TopN

    /// A condition on ROW_NUMBER() over rows of a window; None: the filter is another one. `used`: what is read of
    /// the result, None: everything.
    pub fn top_n(&mut self, filter: &Filter, used: Option<&[Expr]>) -> Result<Option<Rel>> {
        let Some((window, places)) = ranking(&filter.input) else {
            return Ok(None);
        };
        let [Expr::WindowFunction(function)] = window.window_expr.as_slice() else {
            return Ok(None);
        };
        let name = match &function.fun {
            WindowFunctionDefinition::WindowUDF(function) => function.name(),
            WindowFunctionDefinition::AggregateUDF(function) => function.name(),
        };
        if name != "row_number" {
            return self.refused(
                &[],
                &["OVER"],
                format!(
                    "{} OVER is not in this version: a TopN is made by ROW_NUMBER()",
                    name.to_uppercase()
                ),
            );
        }
        let rank = window.schema.fields().len() - 1;
        let filtered = filter.input.schema();
        let ranked = match used {
            Some(used) => used.iter().any(|expression| {
                let columns = expression.column_refs();
                let mut at = columns
                    .iter()
                    .filter_map(|c| filtered.index_of_column(c).ok());
                at.any(|column| places[column] == rank)
            }),
            None => places.contains(&rank),
        };
        let mut limit: Option<i64> = None;
        let mut rest = Vec::new();
        for condition in split_conjunction_owned(filter.predicate.clone()) {
            match upper_bound(&condition, filtered, &places, rank) {
                Some((bound, exact)) => {
                    limit = Some(limit.map_or(bound, |l| l.min(bound)));
                    if exact && bound != 1 {
                        rest.push(condition);
                    }
                }
                None => rest.push(condition),
            }
        }
        let Some(limit) = limit.filter(|l| *l > 0) else {
            return self.refused(
                &[],
                &["ROW_NUMBER"],
                format!(
                    "ROW_NUMBER() needs an upper bound around it: WHERE rn <= N, with N above 0"
                ),
            );
        };
        let below = traits(&window.input)?;
        let params = &function.params;
        let schema = window.input.schema();
        let keys: Vec<Trait> = params
            .partition_by
            .iter()
            .map(|key| column_of(key, schema).map_or(Trait::Plain, |c| below[c]))
            .collect();
        let Grouping::Window(of) = grouping(&keys) else {
            return self.refused(&[], &["ROW_NUMBER"], format!("ROW_NUMBER() OVER needs PARTITION BY window_start, window_end (of a window): a TopN over \
                 everything that ever comes is not in this version"));
        };
        let rel = self.build(&window.input)?;
        if rel.changelog {
            return self.refused(
                &[],
                &["ROW_NUMBER"],
                format!("a TopN over a changelog is not in this version"),
            );
        }
        let edge = |part: Part| {
            let found = keys
                .iter()
                .position(|key| matches!(key, Trait::Window(p, w) if *p == part && w.id == of.id));
            found.map(|position| params.partition_by[position].clone())
        };
        let (Some(start), Some(end)) = (edge(Part::Start), edge(Part::End)) else {
            return plan_err!("a window has a start and an end");
        };
        let plain_keys: Vec<Expr> = params
            .partition_by
            .iter()
            .zip(&keys)
            .filter(|(_, key)| !matches!(key, Trait::Window(_, w) if w.id == of.id))
            .map(|(expression, _)| expression.clone())
            .collect();
        let visible = schema.fields().len();
        let mut wanted = crate::graph::columns_of(schema);
        wanted.extend([start, end]);
        wanted.extend(plain_keys.iter().cloned());
        wanted.extend(params.order_by.iter().map(|sort| sort.expr.clone()));
        let carried = match rel.from_source() && !of.processing {
            true => rel.carrying_time(of.id),
            false => None,
        };
        let time_at = carried.as_ref().map(|_| wanted.len());
        let rel = match carried {
            Some((carrying, time)) => {
                wanted.push(time);
                carrying
            }
            None => rel,
        };
        let ranked = ranked || !rest.is_empty();
        let input = self.input(rel, &wanted, true, None)?;
        let spec = Spec::attached(
            input.columns[visible],
            input.columns[visible + 1],
            of.tick_us,
            of.processing,
        );
        self.mark_attached(input.node, &spec, time_at.map(|t| input.columns[t]));
        let input_schema = self.nodes[input.node].schema.clone();
        let mut fields: Vec<Field> = input_schema
            .fields()
            .iter()
            .map(|f| f.as_ref().clone())
            .collect();
        if ranked {
            fields.push(Field::new("row_number", DataType::Int64, true));
        }
        let mut node = Node::new(
            "window_top_n",
            vec![input.node],
            Arc::new(Schema::new(fields)),
        );
        let first_key = visible + 2;
        let first_order = first_key + plain_keys.len();
        node.keys = input.columns[first_key..first_order].to_vec();
        node.order = params
            .order_by
            .iter()
            .enumerate()
            .map(|(index, sort)| SortColumn {
                column: input.columns[first_order + index],
                descending: !sort.asc,
                nulls_first: sort.nulls_first,
            })
            .collect();
        node.limit = limit;
        node.with_rank = ranked;
        node.window = Some(spec);
        let order: Vec<String> = params
            .order_by
            .iter()
            .map(|sort| {
                format!(
                    "{}{}",
                    show(&sort.expr),
                    if sort.asc { "" } else { " DESC" }
                )
            })
            .collect();
        let keys: Vec<String> = plain_keys.iter().map(show).collect();
        let by = match keys.is_empty() {
            true => String::new(),
            false => format!(" by {}", keys.join(", ")),
        };
        node.detail = format!("first {limit}{by} in the order {}", order.join(", "));
        let node = self.add(node, None);
        let mut columns = input.columns[..visible].to_vec();
        let mut rel = if ranked {
            columns.push(self.nodes[node].schema.fields().len() - 1);
            self.behind(node, columns, window.schema.clone())
        } else {
            // Nobody reads the rank: a column that is always there stands in its place.
            let mut rel = self.behind(node, columns, schema.clone());
            let mut expressions = crate::graph::columns_of(schema);
            let name = window.schema.field(rank).name().clone();
            expressions.push(Expr::Literal(ScalarValue::UInt64(Some(1)), None).alias(name));
            rel.push(Work::Project(expressions, window.schema.clone()));
            rel
        };
        rel.push(Work::Select(places, filtered.clone()));
        for condition in rest {
            rel.push(Work::Filter(condition));
        }
        Ok(Some(rel))
    }
}

/// The window function below columns that are only picked and named, and which of its columns each is.
fn ranking(plan: &LogicalPlan) -> Option<(&Window, Vec<usize>)> {
    match plan {
        LogicalPlan::Window(window) => {
            let all = (0..window.schema.fields().len()).collect();
            Some((window, all))
        }
        LogicalPlan::SubqueryAlias(alias) => ranking(&alias.input),
        LogicalPlan::Projection(projection) => {
            let (window, below) = ranking(&projection.input)?;
            let schema = projection.input.schema();
            let picked = projection.expr.iter();
            let places = picked
                .map(|expression| column_of(expression, schema).map(|c| below[c]))
                .collect::<Option<_>>()?;
            Some((window, places))
        }
        _ => None,
    }
}

/// Numbers of columns that planning made up, counted anew in the order of their appearance.
fn canonical(text: &str) -> String {
    const MADE_UP: [&str; 3] = ["__datafusion_extracted_", "__common_expr_", "__unnest_"];
    let mut result = String::with_capacity(text.len());
    let mut seen: Vec<&str> = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("__") {
        let name = &rest[at..];
        let Some(prefix) = MADE_UP.iter().find(|prefix| name.starts_with(**prefix)) else {
            result += &rest[..at + 2];
            rest = &rest[at + 2..];
            continue;
        };
        let end = name[prefix.len()..]
            .find(|c: char| !c.is_ascii_digit())
            .map_or(name.len(), |end| prefix.len() + end);
        let whole = &name[..end];
        let number = seen.iter().position(|s| *s == whole).unwrap_or(seen.len());
        if number == seen.len() {
            seen.push(whole);
        }
        result += &rest[..at + prefix.len()];
        result += &number.to_string();
        rest = &name[end..];
    }
    result + rest
}

/// The bound that a condition sets to the rank, and whether it is an equality.
fn upper_bound(
    condition: &Expr,
    schema: &datafusion::common::DFSchema,
    places: &[usize],
    rank: usize,
) -> Option<(i64, bool)> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = condition else {
        return None;
    };
    let is_rank = |e: &Expr| match e {
        Expr::Cast(cast) => column_of(&cast.expr, schema).is_some_and(|c| places[c] == rank),
        other => column_of(other, schema).is_some_and(|c| places[c] == rank),
    };
    let number = |e: &Expr| match e {
        Expr::Literal(value, _) => match value {
            ScalarValue::UInt64(Some(v)) => i64::try_from(*v).ok(),
            ScalarValue::Int64(Some(v)) => Some(*v),
            ScalarValue::Int32(Some(v)) => Some(*v as i64),
            _ => None,
        },
        _ => None,
    };
    let (op, bound) = if is_rank(left) {
        (*op, number(right)?)
    } else if is_rank(right) {
        (op.swap()?, number(left)?)
    } else {
        return None;
    };
    match op {
        Operator::LtEq => Some((bound, false)),
        Operator::Lt => Some((bound - 1, false)),
        Operator::Eq => Some((bound, true)),
        _ => None,
    }
}

/// The window whose rows the aggregate tells apart itself.
struct Fused {
    shape: crate::window_tvf::WindowShape,
    partition: Vec<usize>,
}

fn fused_window(rel: &Rel, wanted: &[Expr], id: u64) -> Option<Fused> {
    let mut result: Option<Fused> = None;
    for chain in &rel.chains {
        let mut probe = chain.clone();
        // As the pre-projection will be: what reads a window's column stops the fusion.
        let schema = crate::graph::projected(wanted, &rel.schema).ok()?;
        probe.push(Work::Project(wanted.to_vec(), schema));
        let whole = chain.fusible(id)?;
        probe.fusible(id)?;
        let reads_window = |e: &Expr| {
            column_of(e, &rel.schema).is_some_and(|column| whole.columns.contains(&column))
        };
        if wanted.iter().any(reads_window) {
            return None;
        }
        let partition = whole.partition.into_iter().collect::<Option<Vec<_>>>()?;
        result = Some(Fused {
            shape: whole.shape,
            partition,
        });
    }
    result
}

fn check_session(keys: &[Expr], rel: &Rel, fused: &Fused) -> std::result::Result<(), String> {
    let mut grouped: Vec<usize> = Vec::new();
    for key in keys {
        let column = column_of(key, &rel.schema).ok_or_else(|| {
            format!(
                "a SESSION is grouped by window_start, window_end and the columns of its PARTITION BY, not by {}",
                show(key)
            )
        })?;
        grouped.push(column);
    }
    let mut partition = fused.partition.clone();
    grouped.sort_unstable();
    grouped.dedup();
    partition.sort_unstable();
    partition.dedup();
    if grouped == partition {
        return Ok(());
    }
    let names: Vec<String> = fused
        .partition
        .iter()
        .map(|c| rel.schema.field(*c).name().clone())
        .collect();
    let by = match names.is_empty() {
        true => "no columns (PARTITION BY is absent)".to_string(),
        false => names.join(", "),
    };
    Err(format!(
        "a SESSION is grouped by the columns of its PARTITION BY: it has {by}; write SESSION(TABLE t PARTITION \
         BY …) with the columns of GROUP BY beside window_start and window_end"
    ))
}
