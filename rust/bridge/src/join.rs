//! Joins -> nodes of the graph.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{
    plan_datafusion_err, plan_err, Column, DFSchema, Diagnostic, JoinType, Location, NullEquality,
    Result, Span, TableReference,
};
use datafusion::logical_expr::expr::TryCast;
use datafusion::logical_expr::{
    cast, BinaryExpr, Expr, ExprSchemable, Join, LogicalPlan, Operator,
};

use crate::chain::{column_of, with_row, Base, Chain, Work};
use crate::error::find_identifier;
use crate::fragment::Fragment;
use crate::graph::{arrow_schema, columns_of, Builder, Input, Late, Node, Rel, Window};
use crate::join_kind::{condition_text, Bounds, JoinKind, Sides};
use crate::lookup::Lookup;
use crate::times::{traits, Part, WindowOf};

/// Both sides of a join as inputs of its node.
struct Joined {
    left: Input,
    right: Input,
    /// Columns of each side, in front of the keys.
    left_width: usize,
    right_width: usize,
}

impl Builder<'_> {
    pub fn join(&mut self, join: &Join) -> Result<Rel> {
        if let Some(lookup) = Lookup::below(&join.right) {
            return self.lookup_join(join, lookup);
        }
        if Lookup::below(&join.left).is_some() {
            return self.refused(
                &[],
                &["_weir_lookup"],
                format!("the table of FOR SYSTEM_TIME AS OF is the right one of a JOIN"),
            );
        }
        if join.join_type != JoinType::Inner {
            return self.refused(
                &[],
                &["JOIN"],
                format!(
                    "{} JOIN is not in this version: INNER JOIN, and \
                 LEFT JOIN of a lookup (FOR SYSTEM_TIME AS OF)",
                    join.join_type.to_string().to_uppercase()
                ),
            );
        }
        if join.null_equality != NullEquality::NullEqualsNothing {
            return self.refused(
                &[],
                &["JOIN"],
                format!("IS NOT DISTINCT FROM in a join is not in this version: use ="),
            );
        }
        let sides = Sides::of(join, traits(&join.left)?, traits(&join.right)?)?;
        let kind = sides.kind()?;
        let left = self.build(&join.left)?;
        let right = self.build(&join.right)?;
        if left.changelog || right.changelog {
            return self.refused(
                &[],
                &["JOIN"],
                format!(
                    "a join over a changelog (what a GROUP BY without a \
                 window, or a changelog source, gives) is \
                 not in this version"
                ),
            );
        }
        match kind {
            JoinKind::Window { .. } => self.window_join(&sides, &kind, left, right),
            JoinKind::Interval(bounds) => self.interval_join(&sides, bounds, left, right),
            JoinKind::Regular => self.regular_join(&sides, left, right),
        }
    }

    fn window_join(
        &mut self,
        sides: &Sides,
        kind: &JoinKind,
        left: Rel,
        right: Rel,
    ) -> Result<Rel> {
        let JoinKind::Window {
            window,
            right: right_of,
            left_columns,
            right_columns,
        } = kind
        else {
            return plan_err!("no window join");
        };
        if window.processing != right_of.processing {
            return self.refused(
                &[],
                &["JOIN"],
                format!("a join of event-time with processing-time windows is not possible"),
            );
        }
        let join = sides.join;
        let is_edge = |pair: &(Expr, Expr)| {
            let left = column_of(&pair.0, join.left.schema());
            let right = column_of(&pair.1, join.right.schema());
            match (left, right) {
                (Some(l), Some(r)) => (0..2).any(|i| left_columns[i] == l && right_columns[i] == r),
                _ => false,
            }
        };
        let pairs: Vec<_> = sides
            .pairs
            .iter()
            .filter(|p| !is_edge(p))
            .cloned()
            .collect();
        let left_carried = carried(&left, window);
        let right_carried = carried(&right, right_of);
        let (left, left_time) = left_carried.map_or((left, None), |(rel, time)| (rel, Some(time)));
        let (right, right_time) =
            right_carried.map_or((right, None), |(rel, time)| (rel, Some(time)));
        let timed = (left_time.is_some(), right_time.is_some());
        let joined = self.joined(join, left, right, &pairs, [left_time, right_time])?;
        let tick_us = window.tick_us.min(right_of.tick_us);
        let spec = |input: &Input, columns: &[usize; 2]| {
            Window::attached(
                input.columns[columns[0]],
                input.columns[columns[1]],
                tick_us,
                window.processing,
            )
        };
        let left_window = spec(&joined.left, left_columns);
        let right_window = spec(&joined.right, right_columns);
        if !window.processing {
            let last = |input: &Input| input.columns.last().copied();
            let time = last(&joined.left).filter(|_| timed.0);
            self.mark_attached(joined.left.node, &left_window, time);
            let time = last(&joined.right).filter(|_| timed.1);
            self.mark_attached(joined.right.node, &right_window, time);
        }
        let mut node = self.join_node("window_join", &joined, pairs.len());
        node.window = Some(left_window);
        node.right_window = Some(right_window);
        self.finish_join(node, join, joined, sides.rest.clone())
    }

    fn interval_join(
        &mut self,
        sides: &Sides,
        bounds: Bounds,
        left: Rel,
        right: Rel,
    ) -> Result<Rel> {
        if bounds.lower_us > bounds.upper_us {
            return self.refused(
                &[],
                &["JOIN"],
                format!(
                    "the time bounds of this join exclude each other: {}",
                    condition_text(sides.join)
                ),
            );
        }
        let join = sides.join;
        let joined = self.joined(join, left, right, &sides.pairs, [None, None])?;
        let left_time = joined.left.columns[bounds.left_time];
        let right_time = joined.right.columns[bounds.right_time];
        self.mark_late(
            joined.left.node,
            left_time,
            &Late::Hold((-bounds.lower_us).max(0)),
        );
        self.mark_late(
            joined.right.node,
            right_time,
            &Late::Hold(bounds.upper_us.max(0)),
        );
        let mut node = self.join_node("interval_join", &joined, sides.pairs.len());
        node.left_time = left_time as i64;
        node.right_time = right_time as i64;
        node.lower_us = bounds.lower_us;
        node.upper_us = bounds.upper_us;
        let mut rest = Vec::new();
        for condition in &sides.rest {
            if !sides.is_bound(condition, &bounds)? {
                rest.push(condition.clone());
            }
        }
        self.finish_join(node, join, joined, rest)
    }

    fn regular_join(&mut self, sides: &Sides, left: Rel, right: Rel) -> Result<Rel> {
        let join = sides.join;
        if let Some(part) = sides.half_window() {
            let (found, missing) = match part {
                Part::Start => ("window_start", "window_end"),
                _ => ("window_end", "window_start"),
            };
            return self.refused(
                &[],
                &["JOIN"],
                format!(
                    "this join equates {found} of two windows but not \
                 {missing}: a window join needs both in its \
                 condition"
                ),
            );
        }
        if sides.pairs.is_empty() {
            return self.refused(
                &[],
                &["JOIN"],
                format!(
                    "this join has no equality between its tables: only \
                 joins of one window, or within time bounds, \
                 can do without"
                ),
            );
        }
        let joined = self.joined(join, left, right, &sides.pairs, [None, None])?;
        let mut node = self.join_node("join", &joined, sides.pairs.len());
        node.unbounded = format!(
            "the join on {} keeps every row of both sides",
            condition_text(join)
        );
        let keys: Vec<Expr> = sides.pairs.iter().map(|p| p.0.clone()).collect();
        (node.line, node.column) = self.place_of(&keys, &["JOIN"]);
        self.finish_join(node, join, joined, sides.rest.clone())
    }

    fn joined(
        &mut self,
        join: &Join,
        left: Rel,
        right: Rel,
        pairs: &[(Expr, Expr)],
        times: [Option<Expr>; 2],
    ) -> Result<Joined> {
        let left_width = join.left.schema().fields().len();
        let right_width = join.right.schema().fields().len();
        let mut left_wanted = columns_of(join.left.schema());
        let mut right_wanted = columns_of(join.right.schema());
        for (left_key, right_key) in pairs {
            let (left_type, right_type) = (
                left_key.get_type(join.left.schema())?,
                right_key.get_type(join.right.schema())?,
            );
            let (mut left_key, mut right_key) = (left_key.clone(), right_key.clone());
            if left_type != right_type {
                let Some(common) = common_type(&left_type, &right_type) else {
                    return self.refused(
                        &[left_key.clone(), right_key.clone()],
                        &["JOIN"],
                        format!(
                            "a join compares {} with {}: write a CAST",
                            crate::widen::sql_type(&left_type),
                            crate::widen::sql_type(&right_type)
                        ),
                    );
                };
                left_key = cast(left_key, common.clone());
                right_key = cast(right_key, common);
            }
            left_wanted.push(left_key);
            right_wanted.push(right_key);
        }
        let [left_time, right_time] = times;
        left_wanted.extend(left_time);
        right_wanted.extend(right_time);
        Ok(Joined {
            left: self.input(left, &left_wanted, true, None)?,
            right: self.input(right, &right_wanted, true, None)?,
            left_width,
            right_width,
        })
    }

    fn join_node(&mut self, kind: &'static str, joined: &Joined, pairs: usize) -> Node {
        let mut fields: Vec<Field> = Vec::new();
        for input in [&joined.left, &joined.right] {
            for field in self.nodes[input.node].schema.fields() {
                fields.push(field.as_ref().clone());
            }
        }
        let inputs = vec![joined.left.node, joined.right.node];
        let mut node = Node::new(kind, inputs, Arc::new(Schema::new(fields)));
        node.left_keys = joined.left.columns[joined.left_width..][..pairs].to_vec();
        node.right_keys = joined.right.columns[joined.right_width..][..pairs].to_vec();
        node
    }

    /// The condition, and what comes behind: the visible columns of both sides.
    fn finish_join(
        &mut self,
        mut node: Node,
        join: &Join,
        joined: Joined,
        rest: Vec<Expr>,
    ) -> Result<Rel> {
        let offset = self.nodes[joined.left.node].schema.fields().len();
        let mut columns = joined.left.columns[..joined.left_width].to_vec();
        columns.extend(
            joined.right.columns[..joined.right_width]
                .iter()
                .map(|c| offset + c),
        );
        node.condition = self.condition(&node, rest, &columns, &join.schema)?;
        node.detail = format!("on {}", condition_text(join));
        let index = self.add(node, None);
        Ok(self.behind(index, columns, join.schema.clone()))
    }

    fn condition(
        &mut self,
        node: &Node,
        rest: Vec<Expr>,
        columns: &[usize],
        schema: &Arc<DFSchema>,
    ) -> Result<i64> {
        let Some(condition) = rest.into_iter().reduce(Expr::and) else {
            return Ok(-1);
        };
        let mut chain = Chain {
            base: Base::Node(0),
            physical: node
                .schema
                .fields()
                .iter()
                .map(|f| f.data_type().clone())
                .collect(),
            steps: vec![],
            schema: schema.clone(),
        };
        chain.push(Work::Select(columns.to_vec(), schema.clone()));
        let field = Field::new("condition", DataType::Boolean, true);
        let output = Arc::new(DFSchema::from_unqualified_fields(
            vec![field].into(),
            Default::default(),
        )?);
        chain.push(Work::Project(
            vec![condition.alias("condition")],
            output.clone(),
        ));
        let steps = chain.compile(self.state, None)?;
        let fragment = Fragment::new(
            with_row(&node.schema),
            steps,
            with_row(&arrow_schema(&output)),
        );
        Ok(self.add_fragment(fragment))
    }

    // ---- lookups

    /// The right side is read as the table's columns; its conditions belong to the match.
    fn lookup_join(&mut self, join: &Join, lookup: &Lookup) -> Result<Rel> {
        let left_outer = match join.join_type {
            JoinType::Inner => false,
            JoinType::Left => true,
            other => {
                return self.refused(
                    &[],
                    &["JOIN"],
                    format!(
                        "{} JOIN of a lookup is not in this version: INNER and LEFT JOIN",
                        other.to_string().to_uppercase()
                    ),
                )
            }
        };
        let LogicalPlan::TableScan(scan) = lookup.input.as_ref() else {
            return self.refused(
                &[],
                &["_weir_lookup"],
                format!("FOR SYSTEM_TIME AS OF reads a table, not a view or a query"),
            );
        };
        let table = scan.table_name.table().to_string();
        let scanned = scan.projected_schema.clone();
        let (right_columns, mut rest) = plain_right(&join.right, &scanned)?;
        let over_table =
            |condition: Expr| looked_up(condition, join.right.schema(), &right_columns, &scanned);
        let left = self.build(&join.left)?;
        let mut pairs = Vec::new();
        let sides = Sides::of(join, traits(&join.left)?, traits(&join.right)?)?;
        let mut wanted = columns_of(join.left.schema());
        let left_width = wanted.len();
        for (left_key, right_key) in &sides.pairs {
            let (column, converted) = match right_key {
                Expr::Cast(inner) => (column_of(&inner.expr, join.right.schema()), true),
                other => (column_of(other, join.right.schema()), false),
            };
            let Some(column) = column.map(|c| right_columns[c]) else {
                rest.push(over_table(equals(left_key, right_key))?);
                continue;
            };
            let kind = scanned.field(column).data_type().clone();
            let mut key = left_key.clone();
            if key.get_type(join.left.schema())? != kind {
                // What the table's type cannot hold matches nothing.
                key = Expr::TryCast(TryCast::new(Box::new(key), kind));
            }
            if converted {
                rest.push(over_table(equals(left_key, right_key))?);
            }
            wanted.push(key);
            pairs.push(column);
        }
        for condition in &sides.rest {
            rest.push(over_table(condition.clone())?);
        }
        if pairs.is_empty() {
            return self.refused(
                &[],
                &["_weir_lookup"],
                format!(
                    "a lookup needs an equality with a column \
                 of '{table}' in its condition: ON left.x = {table}.key"
                ),
            );
        }
        let changelog = left.changelog;
        let input = self.input(left, &wanted, true, None)?;
        let left_schema = self.nodes[input.node].schema.clone();
        let mut fields: Vec<Field> = left_schema
            .fields()
            .iter()
            .map(|f| f.as_ref().clone())
            .collect();
        let offset = fields.len();
        fields.extend(
            arrow_schema(&scanned)
                .fields()
                .iter()
                .map(|f| f.as_ref().clone()),
        );
        let mut node = Node::new(
            "lookup_join",
            vec![input.node],
            Arc::new(Schema::new(fields)),
        );
        node.source = table.clone();
        node.left_keys = input.columns[left_width..].to_vec();
        node.right_keys = pairs;
        node.left_outer = left_outer;
        node.changelog = changelog;
        let mut columns = input.columns[..left_width].to_vec();
        let mut matched = columns.clone();
        matched.extend((0..scanned.fields().len()).map(|c| offset + c));
        let match_schema = match_schema(join.left.schema(), &scanned)?;
        node.condition = self.condition(&node, rest, &matched, &match_schema)?;
        columns.extend(right_columns.iter().map(|c| offset + c));
        node.detail = format!("{table} on {}", condition_text(join));
        let from = input.node;
        let index = self.add(node, None);
        self.carry_origins(index, from);
        Ok(self.behind(index, columns, join.schema.clone()))
    }

    // ---- places

    /// An error at an expression's place in the query, or at a keyword's.
    pub fn refused<T>(&self, expressions: &[Expr], keywords: &[&str], words: String) -> Result<T> {
        let (line, column) = self.place_of(expressions, keywords);
        let error = plan_datafusion_err!("{words}");
        if line < 1 {
            return Err(error);
        }
        let start = Location {
            line: line as u64,
            column: column as u64,
        };
        Err(error.with_diagnostic(Diagnostic::new_error(
            words,
            Some(Span { start, end: start }),
        )))
    }

    /// Line and column of an expression's first column in the query, or of a keyword; 0: unknown.
    pub fn place_of(&self, expressions: &[Expr], keywords: &[&str]) -> (i32, i32) {
        for expression in expressions {
            for column in expression.column_refs() {
                for span in column.spans().iter() {
                    let (line, position) = (span.start.line as usize, span.start.column as usize);
                    let Some(text) = self.text.lines().nth(line.saturating_sub(1)) else {
                        continue;
                    };
                    let rest: String = text.chars().skip(position.saturating_sub(1)).collect();
                    let name = column.name.as_str();
                    let word: String = rest
                        .trim_start_matches('"')
                        .chars()
                        .take_while(|c| c.is_alphanumeric() || *c == '_' || *c == '.')
                        .collect();
                    if word == name || word.ends_with(&format!(".{name}")) {
                        return (line as i32, position as i32);
                    }
                }
            }
        }
        keywords
            .iter()
            .find_map(|word| find_identifier(self.text, word))
            .unwrap_or((0, 0))
    }
}

/// Rows right from a source take their time along, by which they are late.
fn carried(rel: &Rel, window: &WindowOf) -> Option<(Rel, Expr)> {
    if window.processing || !rel.from_source() {
        return None;
    }
    rel.carrying_time(window.id)
}

fn equals(left: &Expr, right: &Expr) -> Expr {
    Expr::BinaryExpr(BinaryExpr::new(
        Box::new(left.clone()),
        Operator::Eq,
        Box::new(right.clone()),
    ))
}

/// Which of a lookup's columns each column of the right side is, and the conditions on the way, over LOOKED_UP.
fn plain_right(plan: &LogicalPlan, scanned: &DFSchema) -> Result<(Vec<usize>, Vec<Expr>)> {
    match plan {
        LogicalPlan::SubqueryAlias(alias) => plain_right(&alias.input, scanned),
        LogicalPlan::Filter(filter) => {
            let (columns, mut conditions) = plain_right(&filter.input, scanned)?;
            let predicate = filter.predicate.clone();
            conditions.push(looked_up(
                predicate,
                filter.input.schema(),
                &columns,
                scanned,
            )?);
            Ok((columns, conditions))
        }
        LogicalPlan::Projection(projection) => {
            let (below, conditions) = plain_right(&projection.input, scanned)?;
            let schema = projection.input.schema();
            let mut columns = Vec::new();
            for expression in &projection.expr {
                match column_of(expression, schema) {
                    Some(column) => columns.push(below[column]),
                    None => {
                        return plan_err!(
                            "a lookup gives its table's columns: compute {} behind the join",
                            crate::tree::show(expression)
                        )
                    }
                }
            }
            Ok((columns, conditions))
        }
        _ => Ok(((0..plan.schema().fields().len()).collect(), vec![])),
    }
}

/// The qualifier of a lookup's columns in a match's condition.
const LOOKED_UP: &str = "_looked_up";

/// Columns of `schema` become those of the lookup's table that they are; others stay.
fn looked_up(
    expression: Expr,
    schema: &DFSchema,
    columns: &[usize],
    scanned: &DFSchema,
) -> Result<Expr> {
    let transformed = expression.transform(|part| match &part {
        Expr::Column(column) => Ok(match schema.index_of_column(column) {
            Ok(index) => {
                let name = scanned.field(columns[index]).name();
                Transformed::yes(Expr::Column(Column::new(Some(LOOKED_UP), name)))
            }
            Err(_) => Transformed::no(part),
        }),
        _ => Ok(Transformed::no(part)),
    })?;
    Ok(transformed.data)
}

/// Left columns, then the lookup's.
fn match_schema(left: &DFSchema, scanned: &DFSchema) -> Result<Arc<DFSchema>> {
    let mut fields: Vec<(Option<TableReference>, FieldRef)> = left
        .iter()
        .map(|(qualifier, field)| (qualifier.cloned(), field.clone()))
        .collect();
    for field in scanned.fields() {
        fields.push((Some(TableReference::bare(LOOKED_UP)), field.clone()));
    }
    Ok(Arc::new(DFSchema::new_with_metadata(
        fields,
        Default::default(),
    )?))
}

fn common_type(left: &DataType, right: &DataType) -> Option<DataType> {
    if crate::widen::widens(left, right) {
        return Some(right.clone());
    }
    if crate::widen::widens(right, left) {
        return Some(left.clone());
    }
    datafusion::logical_expr::type_coercion::binary::comparison_coercion(left, right)
}
