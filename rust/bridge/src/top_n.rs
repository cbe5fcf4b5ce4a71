//! ROW_NUMBER() over the rows of a window with a bound around it -> a node of the graph.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::{plan_err, Result, ScalarValue};
use datafusion::logical_expr::utils::split_conjunction_owned;
use datafusion::logical_expr::{
    BinaryExpr, Expr, Filter, LogicalPlan, Operator, Window, WindowFunctionDefinition,
};

use crate::chain::{column_of, Work};
use crate::graph::{Builder, Node, Rel, SortColumn, Window as Spec};
use crate::times::{grouping, traits, Grouping, Part, Trait};
use crate::tree::show;

impl Builder<'_> {
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
            return self.refused(
                &[],
                &["ROW_NUMBER"],
                format!(
                    "ROW_NUMBER() OVER needs PARTITION BY \
                 window_start, window_end (of a window): a TopN over \
                 everything that ever comes is not in this version"
                ),
            );
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
