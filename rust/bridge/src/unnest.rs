//! Flink's `t CROSS JOIN UNNEST(t.items) AS u(a, b)`: DataFusion plans no lateral unnest over columns, so that the
//! join is planned here as projection, unnest, projection, with `u` as the qualifier of what comes out.

use std::iter;
use std::mem;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::datatypes::DataType;
use datafusion::common::{plan_err, Column, Result};
use datafusion::common::{NullHandling, UnnestOptions};
use datafusion::functions::core::expr_fn::get_field;
use datafusion::functions_nested::map_entries::map_entries_udf;
use datafusion::logical_expr::planner::{
    PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning,
};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder};
use datafusion::sql::sqlparser::ast::{
    visit_expressions_mut, AccessExpr, Expr as SqlExpr, Join, JoinConstraint, JoinOperator, Query,
    SelectItem, SetExpr, TableAlias, TableFactor, TableWithJoins, Value, VisitMut, VisitorMut,
};

/// `items[1].sku`: DataFusion wants the field after a subscript as a string.
pub fn name_dot_fields<T: VisitMut>(tree: &mut T) {
    let _ = visit_expressions_mut(tree, |expression| {
        if let SqlExpr::CompoundFieldAccess { access_chain, .. } = expression {
            for access in access_chain {
                if let AccessExpr::Dot(SqlExpr::Identifier(name)) = access {
                    let text = Value::SingleQuotedString(name.value.clone());
                    *access = AccessExpr::Dot(SqlExpr::Value(text.into()));
                }
            }
        }
        ControlFlow::<()>::Continue(())
    });
}

/// `SELECT address.city` gives a column `city`, as in Flink; DataFusion would call it "t.address[city]".
pub fn name_fields(query: &mut Query) {
    struct Fields;
    impl VisitorMut for Fields {
        type Break = ();
        fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
            name_fields_of(&mut query.body);
            ControlFlow::Continue(())
        }
    }
    let _ = query.visit(&mut Fields);
}

fn name_fields_of(body: &mut SetExpr) {
    match body {
        SetExpr::SetOperation { left, right, .. } => {
            name_fields_of(left);
            name_fields_of(right);
        }
        SetExpr::Select(select) => {
            let mut tables = Vec::new();
            for table in &select.from {
                table_names(table, &mut tables);
            }
            for item in &mut select.projection {
                let SelectItem::UnnamedExpr(SqlExpr::CompoundIdentifier(parts)) = item else {
                    continue;
                };
                let of_table = tables.contains(&parts[0].value);
                let (Some(alias), true) = (parts.last().cloned(), !of_table || parts.len() > 2)
                else {
                    continue;
                };
                let expr = SqlExpr::CompoundIdentifier(mem::take(parts));
                *item = SelectItem::ExprWithAlias { expr, alias };
            }
        }
        _ => {}
    }
}

/// What columns of a FROM may be qualified by.
fn table_names(table: &TableWithJoins, names: &mut Vec<String>) {
    let factors = iter::once(&table.relation).chain(table.joins.iter().map(|j| &j.relation));
    for factor in factors {
        match factor {
            TableFactor::NestedJoin {
                table_with_joins, ..
            } => table_names(table_with_joins, names),
            TableFactor::Table {
                name, alias: None, ..
            } => names.extend(
                name.0
                    .last()
                    .and_then(|n| n.as_ident())
                    .map(|n| n.value.clone()),
            ),
            TableFactor::Table { alias, .. }
            | TableFactor::Derived { alias, .. }
            | TableFactor::TableFunction { alias, .. }
            | TableFactor::UNNEST { alias, .. } => {
                names.extend(alias.as_ref().map(|a| a.name.value.clone()))
            }
            _ => {}
        }
    }
}

/// Puts each join with UNNEST into parentheses, where UnnestPlanner gets hold of it.
pub fn nest_unnest_joins(query: &mut Query) {
    if let Some(with) = &mut query.with {
        for table in &mut with.cte_tables {
            nest_unnest_joins(&mut table.query);
        }
    }
    nest_in_body(&mut query.body);
}

fn nest_in_body(body: &mut SetExpr) {
    match body {
        SetExpr::Query(query) => nest_unnest_joins(query),
        SetExpr::SetOperation { left, right, .. } => {
            nest_in_body(left);
            nest_in_body(right);
        }
        SetExpr::Select(select) => {
            // FROM t, UNNEST(t.items): the comma is a cross join.
            let mut from: Vec<TableWithJoins> = Vec::new();
            for table in mem::take(&mut select.from) {
                match from.last_mut() {
                    Some(last) if is_unnest(&table.relation) => {
                        last.joins.push(Join {
                            relation: table.relation,
                            global: false,
                            join_operator: JoinOperator::CrossJoin(JoinConstraint::None),
                        });
                        last.joins.extend(table.joins);
                    }
                    _ => from.push(table),
                }
            }
            for table in &mut from {
                nest_in_table(table);
            }
            select.from = from;
        }
        _ => {}
    }
}

fn nest_in_table(table: &mut TableWithJoins) {
    nest_in_factor(&mut table.relation);
    for join in &mut table.joins {
        nest_in_factor(&mut join.relation);
    }
    // Everything up to the last UNNEST becomes one factor.
    if let Some(last) = table
        .joins
        .iter()
        .rposition(|join| is_unnest(&join.relation))
    {
        let rest = table.joins.split_off(last + 1);
        let nested = mem::replace(
            table,
            TableWithJoins {
                relation: placeholder(),
                joins: rest,
            },
        );
        table.relation = TableFactor::NestedJoin {
            table_with_joins: Box::new(nested),
            alias: None,
        };
    }
}

fn nest_in_factor(factor: &mut TableFactor) {
    match factor {
        TableFactor::Derived { subquery, .. } => nest_unnest_joins(subquery),
        TableFactor::NestedJoin {
            table_with_joins, ..
        } => nest_in_table(table_with_joins),
        _ => {}
    }
}

fn placeholder() -> TableFactor {
    TableFactor::UNNEST {
        alias: None,
        array_exprs: vec![],
        with_offset: false,
        with_offset_alias: None,
        with_ordinality: false,
    }
}

fn is_unnest(factor: &TableFactor) -> bool {
    matches!(factor, TableFactor::UNNEST { .. })
}

#[derive(Debug, Default)]
pub struct UnnestPlanner {
    counter: AtomicUsize,
}

impl RelationPlanner for UnnestPlanner {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        match relation {
            TableFactor::NestedJoin {
                mut table_with_joins,
                alias,
            } if table_with_joins
                .joins
                .last()
                .is_some_and(|join| is_unnest(&join.relation)) =>
            {
                let join = table_with_joins.joins.pop().expect("checked above");
                let left = if table_with_joins.joins.is_empty() {
                    context.plan(table_with_joins.relation)?
                } else {
                    context.plan(TableFactor::NestedJoin {
                        table_with_joins,
                        alias: None,
                    })?
                };
                let plan = self.plan_unnest(left, join, context)?;
                Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(
                    plan, alias,
                ))))
            }
            other => Ok(RelationPlanning::Original(Box::new(other))),
        }
    }
}

impl UnnestPlanner {
    fn plan_unnest(
        &self,
        left: LogicalPlan,
        join: Join,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<LogicalPlan> {
        let null_handling = null_handling(&join.join_operator)?;
        let TableFactor::UNNEST {
            alias,
            mut array_exprs,
            with_offset,
            with_ordinality,
            ..
        } = join.relation
        else {
            return plan_err!("UNNEST expected");
        };
        if with_ordinality || with_offset {
            return plan_err!("UNNEST WITH ORDINALITY is not supported");
        }
        if array_exprs.len() != 1 {
            return plan_err!("UNNEST takes one array or map here");
        }
        let mut list = context.sql_to_expr(array_exprs.remove(0), left.schema())?;
        let list_type = list.get_type(left.schema())?;
        match &list_type {
            DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(_, _) => {}
            DataType::Map(_, _) => list = map_entries_udf().call(vec![list]),
            other => {
                return plan_err!(
                    "UNNEST takes an array or a map, this is {}",
                    crate::widen::sql_type(other)
                )
            }
        }
        let name = format!("__unnest_{}", self.counter.fetch_add(1, Ordering::Relaxed));
        let kept: Vec<Expr> = left
            .schema()
            .columns()
            .into_iter()
            .map(Expr::Column)
            .collect();
        let mut columns = kept.clone();
        columns.push(list.alias(&name));
        let options = UnnestOptions::new().with_null_handling(null_handling);
        let unnested = LogicalPlanBuilder::from(left)
            .project(columns)?
            .unnest_column_with_options(Column::from_name(&name), options)?
            .build()?;
        let last = unnested.schema().fields().len() - 1;
        let (qualifier, field) = unnested.schema().qualified_field(last);
        let element = Expr::Column(Column::from((qualifier, field)));
        let mut projected = kept;
        projected.extend(element_columns(element, field.data_type(), alias, context)?);
        LogicalPlanBuilder::from(unnested.clone())
            .project(projected)?
            .build()
    }
}

/// An array of rows gives the rows' fields, another one its element.
fn element_columns(
    element: Expr,
    element_type: &DataType,
    alias: Option<TableAlias>,
    context: &mut dyn RelationPlannerContext,
) -> Result<Vec<Expr>> {
    let (table, names) = match alias {
        Some(alias) => {
            let table = context.normalize_ident(alias.name);
            let names: Vec<_> = alias
                .columns
                .into_iter()
                .map(|c| context.normalize_ident(c.name))
                .collect();
            (Some(table), names)
        }
        None => (None, vec![]),
    };
    let parts: Vec<(Expr, String)> = match element_type {
        DataType::Struct(fields) => fields
            .iter()
            .map(|field| {
                (
                    get_field(element.clone(), field.name().as_str()),
                    field.name().clone(),
                )
            })
            .collect(),
        _ => vec![(element, table.clone().unwrap_or_else(|| "element".into()))],
    };
    if !names.is_empty() && names.len() != parts.len() {
        return plan_err!(
            "UNNEST gives {} column(s), but {} name(s) are listed",
            parts.len(),
            names.len()
        );
    }
    let named = parts
        .into_iter()
        .enumerate()
        .map(|(index, (expression, name))| {
            let name = names.get(index).cloned().unwrap_or(name);
            match &table {
                Some(table) => expression.alias_qualified(Some(table.as_str()), name),
                None => expression.alias(name),
            }
        });
    Ok(named.collect())
}

/// Flink: a cross join drops rows whose array is null or empty, a left join keeps them.
fn null_handling(operator: &JoinOperator) -> Result<NullHandling> {
    let always = |constraint: &JoinConstraint| match constraint {
        JoinConstraint::None => true,
        JoinConstraint::On(SqlExpr::Value(value)) => value.value == Value::Boolean(true),
        _ => false,
    };
    match operator {
        JoinOperator::CrossJoin(constraint)
        | JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
            if always(constraint) =>
        {
            Ok(NullHandling::Drop)
        }
        JoinOperator::Left(constraint) | JoinOperator::LeftOuter(constraint)
            if always(constraint) =>
        {
            Ok(NullHandling::PreserveAndExpandEmpty)
        }
        _ => {
            plan_err!("UNNEST is joined by CROSS JOIN UNNEST(…), or by LEFT JOIN UNNEST(…) ON TRUE")
        }
    }
}
