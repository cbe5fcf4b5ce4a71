//! GROUP BY and DISTINCT -> nodes of the graph.

use arrow::datatypes::{Field, Schema};
use datafusion::common::{plan_err, Result, ScalarValue};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Aggregate, Expr};
use std::sync::Arc;

use crate::chain::{column_of, Work};
use crate::graph::{Builder, Call, Late, Node, Rel, Window as Spec};
use crate::times::{grouping, traits, Grouping, Part, Trait, WindowOf};
use crate::tree::show;
use crate::widen::signed;
use crate::window_tvf::Assigner;

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
                return self.refused(
                    &aggregate.group_expr,
                    &["GROUP"],
                    format!(
                        "GROUP BY has {found} but \
                     not {missing} of that window: a window is told by both, write \
                     GROUP BY window_start, window_end"
                    ),
                );
            }
            Grouping::Unbounded => None,
        };
        let rel = self.build(&aggregate.input)?;
        if rel.changelog {
            return self.refused(
                &aggregate.group_expr,
                &["GROUP"],
                format!(
                    "GROUP BY over a changelog (what \
                 a GROUP BY without a window, or a changelog source, gives) is \
                 not in this version: put a window around the inner one"
                ),
            );
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
            return self.refused(&[], &["SESSION"], format!("a SESSION is grouped right where it is made, by \
                 window_start, window_end and its PARTITION BY \
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
        let is_session = |step: &Work| match step {
            Work::Window { shape, .. } => shape.assigner == Assigner::Session,
            _ => false,
        };
        if rel.chains.iter().any(|c| c.steps.iter().any(is_session)) {
            return self.refused(
                &[],
                &["SESSION"],
                format!(
                    "a SESSION is grouped by window_start, \
                 window_end and its PARTITION BY columns"
                ),
            );
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
                "a SESSION is grouped by window_start, window_end and the columns of its PARTITION BY, not \
                     by {}",
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
