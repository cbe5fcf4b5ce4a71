//! What explain prints of a plan.

use datafusion::logical_expr::{Expr, LogicalPlan};
use serde_json::json;

use crate::graph::Node;

pub fn tree(plan: &LogicalPlan) -> serde_json::Value {
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

pub fn show(expression: &Expr) -> String {
    match expression {
        Expr::Alias(alias) => format!("{} AS {}", show(&alias.expr), alias.name),
        // As SQL, so that casts are seen; what has no SQL form keeps DataFusion's words.
        other => match datafusion::sql::unparser::expr_to_sql(other) {
            Ok(sql) => sql.to_string(),
            Err(_) => other.human_display().to_string(),
        },
    }
}

/// A graph as a tree from its last node on; a node that is read twice is there twice, with its number.
pub fn graph_tree(nodes: &[Node]) -> serde_json::Value {
    let mut readers = vec![0; nodes.len()];
    for node in nodes {
        for input in &node.inputs {
            readers[*input] += 1;
        }
    }
    match nodes.len().checked_sub(1) {
        Some(last) => node_tree(nodes, last, &readers),
        None => json!({"node": "empty", "detail": "no row can come out", "inputs": []}),
    }
}

fn node_tree(nodes: &[Node], index: usize, readers: &[usize]) -> serde_json::Value {
    let node = &nodes[index];
    let mut inputs: Vec<_> = node
        .inputs
        .iter()
        .map(|input| node_tree(nodes, *input, readers))
        .collect();
    let mut detail = node.detail.clone();
    if readers[index] > 1 {
        detail += &format!(" [#{index}, read {} times]", readers[index]);
    }
    match node.kind {
        "scan" => {
            inputs = vec![json!({"node": "source", "detail": detail, "inputs": []})];
        }
        "fragment" => {}
        kind => return json!({"node": kind, "detail": detail, "inputs": inputs}),
    }
    let mut tree = inputs.pop().unwrap_or_else(|| json!({}));
    for (kind, words) in &node.work {
        tree = json!({"node": kind, "detail": words, "inputs": [tree]});
    }
    tree
}
