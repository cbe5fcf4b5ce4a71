//! Fields of structs are taken out before anything else is done with the rows: a filter, and CASE within itself, copies
//! each column that it touches, and a struct is all of its fields.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::Result;
use datafusion::physical_expr::expressions::{Column, Literal};
use datafusion::physical_expr::ScalarFunctionExpr;
use datafusion::physical_plan::PhysicalExpr;

use crate::fragment::Step;

/// The steps with a projection in front that takes out what the first filters and the projection behind them read.
/// `input`: the columns of the rows, ROW included. Unchanged where that brings nothing.
pub fn take_leaves_first(input: &SchemaRef, mut steps: Vec<Step>) -> Vec<Step> {
    let first = usize::from(matches!(steps.first(), Some(Step::Select(_))));
    let filters = steps[first..]
        .iter()
        .take_while(|step| matches!(step, Step::Filter(_)))
        .count();
    let end = first + filters;
    if !matches!(steps.get(end), Some(Step::Project(..))) {
        return steps;
    }
    let schema = match steps.first() {
        Some(Step::Select(indices)) => match input.project(indices) {
            Ok(schema) => Arc::new(schema),
            Err(_) => return steps,
        },
        _ => input.clone(),
    };
    let Ok(Some((taken, rewritten))) = rewrite(&schema, &steps[first..=end]) else {
        return steps;
    };
    steps.splice(first..=end, std::iter::once(taken).chain(rewritten));
    steps
}

fn rewrite(schema: &SchemaRef, steps: &[Step]) -> Result<Option<(Step, Vec<Step>)>> {
    let mut leaves: Vec<Arc<dyn PhysicalExpr>> = Vec::new();
    let mut rewritten = Vec::with_capacity(steps.len());
    let mut worth = steps.len() > 1;
    for step in steps {
        match step {
            Step::Filter(predicate) => {
                rewritten.push(Step::Filter(on_leaves(predicate, &mut leaves)?));
            }
            Step::Project(expressions, output) => {
                worth |= expressions.iter().any(|expression| !is_leaf(expression));
                let mut changed = Vec::with_capacity(expressions.len());
                for expression in expressions {
                    changed.push(on_leaves(expression, &mut leaves)?);
                }
                rewritten.push(Step::Project(changed, output.clone()));
            }
            _ => return Ok(None),
        }
    }
    let plain = |leaf: &Arc<dyn PhysicalExpr>| leaf.downcast_ref::<Column>().is_some();
    if !worth || leaves.iter().all(plain) {
        return Ok(None);
    }
    let mut fields = Vec::with_capacity(leaves.len());
    for (index, leaf) in leaves.iter().enumerate() {
        fields.push(Field::new(
            format!("leaf_{index}"),
            leaf.data_type(schema)?,
            true,
        ));
    }
    let taken = Step::Project(leaves, Arc::new(Schema::new(fields)));
    Ok(Some((taken, rewritten)))
}

/// The expression over the columns `leaves`, which grow by what it reads.
fn on_leaves(
    expression: &Arc<dyn PhysicalExpr>,
    leaves: &mut Vec<Arc<dyn PhysicalExpr>>,
) -> Result<Arc<dyn PhysicalExpr>> {
    let changed = expression.clone().transform_down(|part| {
        if !is_leaf(&part) {
            return Ok(Transformed::no(part));
        }
        let index = match leaves.iter().position(|leaf| leaf.eq(&part)) {
            Some(index) => index,
            None => {
                leaves.push(part);
                leaves.len() - 1
            }
        };
        let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new(&format!("leaf_{index}"), index));
        Ok(Transformed::new(column, true, TreeNodeRecursion::Jump))
    })?;
    Ok(changed.data)
}

/// A column, or a field of one, at any depth.
fn is_leaf(expression: &Arc<dyn PhysicalExpr>) -> bool {
    if expression.downcast_ref::<Column>().is_some() {
        return true;
    }
    let Some(call) = expression.downcast_ref::<ScalarFunctionExpr>() else {
        return false;
    };
    let [base, fields @ ..] = call.args() else {
        return false;
    };
    call.fun().name() == "get_field"
        && is_leaf(base)
        && fields
            .iter()
            .all(|field| field.downcast_ref::<Literal>().is_some())
}
