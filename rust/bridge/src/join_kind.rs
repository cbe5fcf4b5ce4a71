//! What kind of join a condition makes: of rows of one window, of rows whose times bound each other, or of everything.

use datafusion::common::{JoinType, Result};
use datafusion::logical_expr::utils::{split_conjunction, split_conjunction_owned};
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, Join, Operator};

use crate::times::{tick_us, Part, Trait, WindowOf};
use crate::window_tvf::interval_us;

/// left_time - right_time in [lower_us, upper_us], by columns of each side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    pub left_time: usize,
    pub right_time: usize,
    pub lower_us: i64,
    pub upper_us: i64,
}

#[derive(Debug, Clone, PartialEq)]
pub enum JoinKind {
    Window {
        window: WindowOf,
        right: WindowOf,
        /// start and end of each side, as columns of it.
        left_columns: [usize; 2],
        right_columns: [usize; 2],
    },
    Interval(Bounds),
    Regular,
}

/// A join with its conditions taken apart.
pub struct Sides<'a> {
    pub join: &'a Join,
    pub left: Vec<Trait>,
    pub right: Vec<Trait>,
    /// Equal pairs: an expression of the left side, one of the right.
    pub pairs: Vec<(Expr, Expr)>,
    pub rest: Vec<Expr>,
    pub right_window: Option<u64>,
}

/// A time column and a constant: column + shift.
struct Moment {
    is_left: bool,
    column: usize,
    shift_us: i64,
}

impl<'a> Sides<'a> {
    pub fn of(join: &'a Join, left: Vec<Trait>, right: Vec<Trait>) -> Result<Self> {
        let mut sides = Sides {
            join,
            left,
            right,
            pairs: join.on.clone(),
            rest: vec![],
            right_window: None,
        };
        for condition in join
            .filter
            .iter()
            .cloned()
            .flat_map(split_conjunction_owned)
        {
            match sides.pair(&condition) {
                Some(pair) => sides.pairs.push(pair),
                None => sides.rest.push(condition),
            }
        }
        if let JoinKind::Window { right, .. } = sides.kind()? {
            sides.right_window = Some(right.id);
        }
        Ok(sides)
    }

    fn side(&self, expression: &Expr) -> Option<bool> {
        let columns = expression.column_refs();
        if columns.is_empty() {
            return None;
        }
        let (left, right) = (self.join.left.schema(), self.join.right.schema());
        if columns.iter().all(|c| left.index_of_column(c).is_ok()) {
            Some(true)
        } else if columns.iter().all(|c| right.index_of_column(c).is_ok()) {
            Some(false)
        } else {
            None
        }
    }

    fn pair(&self, condition: &Expr) -> Option<(Expr, Expr)> {
        let Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Eq,
            right,
        }) = condition
        else {
            return None;
        };
        match (self.side(left)?, self.side(right)?) {
            (true, false) => Some((left.as_ref().clone(), right.as_ref().clone())),
            (false, true) => Some((right.as_ref().clone(), left.as_ref().clone())),
            _ => None,
        }
    }

    fn left_column(&self, expression: &Expr) -> Option<usize> {
        match expression {
            Expr::Column(column) => self.join.left.schema().index_of_column(column).ok(),
            _ => None,
        }
    }
    fn right_column(&self, expression: &Expr) -> Option<usize> {
        match expression {
            Expr::Column(column) => self.join.right.schema().index_of_column(column).ok(),
            _ => None,
        }
    }

    pub fn kind(&self) -> Result<JoinKind> {
        if self.join.join_type != JoinType::Inner {
            return Ok(JoinKind::Regular);
        }
        if let Some(window) = self.window() {
            return Ok(window);
        }
        Ok(match self.bounds()? {
            Some(bounds) => JoinKind::Interval(bounds),
            None => JoinKind::Regular,
        })
    }

    /// The traits of the pairs that equate a part of a window on both sides.
    fn window_pairs(&self) -> Vec<(Part, usize, WindowOf, usize, WindowOf)> {
        let mut found = Vec::new();
        for (left, right) in &self.pairs {
            let (Some(left), Some(right)) = (self.left_column(left), self.right_column(right))
            else {
                continue;
            };
            if let (Trait::Window(part, of), Trait::Window(other, right_of)) =
                (self.left[left], self.right[right])
            {
                if part == other {
                    found.push((part, left, of, right, right_of));
                }
            }
        }
        found
    }

    fn window(&self) -> Option<JoinKind> {
        let pairs = self.window_pairs();
        for (_, start, of, right_start, right_of) in pairs.iter().filter(|p| p.0 == Part::Start) {
            let end = pairs
                .iter()
                .find(|p| p.0 == Part::End && p.2.id == of.id && p.4.id == right_of.id);
            if let Some((_, end, _, right_end, _)) = end {
                return Some(JoinKind::Window {
                    window: *of,
                    right: *right_of,
                    left_columns: [*start, *end],
                    right_columns: [*right_start, *right_end],
                });
            }
        }
        None
    }

    /// Only the start or only the end of windows is equated.
    pub fn half_window(&self) -> Option<Part> {
        self.window_pairs().first().map(|pair| pair.0)
    }

    fn bounds(&self) -> Result<Option<Bounds>> {
        let mut candidates: Vec<(usize, usize)> = Vec::new();
        let mut limits = Vec::new();
        for condition in &self.rest {
            for limit in self.limits(condition)? {
                if !candidates.contains(&(limit.0, limit.1)) {
                    candidates.push((limit.0, limit.1));
                }
                limits.push(limit);
            }
        }
        for (left, right) in &self.pairs {
            let (Some(left), Some(right)) = (self.left_column(left), self.right_column(right))
            else {
                continue;
            };
            if self.left[left].keeps_event_time().is_some()
                && self.right[right].keeps_event_time().is_some()
            {
                candidates.push((left, right));
                limits.push((left, right, Some(0), Some(0)));
            }
        }
        for (left_time, right_time) in candidates {
            let of_pair = || {
                limits
                    .iter()
                    .filter(|l| (l.0, l.1) == (left_time, right_time))
            };
            let lower = of_pair().filter_map(|l| l.2).max();
            let upper = of_pair().filter_map(|l| l.3).min();
            if let (Some(lower_us), Some(upper_us)) = (lower, upper) {
                return Ok(Some(Bounds {
                    left_time,
                    right_time,
                    lower_us,
                    upper_us,
                }));
            }
        }
        Ok(None)
    }

    /// What a condition says of left - right: (left column, right column, at least, at most).
    fn limits(&self, condition: &Expr) -> Result<Vec<(usize, usize, Option<i64>, Option<i64>)>> {
        if let Expr::Between(between) = condition {
            if between.negated {
                return Ok(vec![]);
            }
            let compare = |op, bound: &Expr| {
                Expr::BinaryExpr(BinaryExpr::new(
                    between.expr.clone(),
                    op,
                    Box::new(bound.clone()),
                ))
            };
            let mut found = self.limits(&compare(Operator::GtEq, &between.low))?;
            let upper = self.limits(&compare(Operator::LtEq, &between.high))?;
            // Half of a BETWEEN would be lost when the condition is taken out.
            if found.is_empty() || upper.is_empty() {
                return Ok(vec![]);
            }
            found.extend(upper);
            return Ok(found);
        }
        let Expr::BinaryExpr(BinaryExpr { left, op, right }) = condition else {
            return Ok(vec![]);
        };
        let (Some(a), Some(b)) = (self.moment(left)?, self.moment(right)?) else {
            return Ok(vec![]);
        };
        if a.is_left == b.is_left {
            return Ok(vec![]);
        }
        // a.column - b.column  op  b.shift - a.shift
        let difference = b.shift_us - a.shift_us;
        let (lower, upper) = match op {
            Operator::GtEq => (Some(difference), None),
            Operator::Gt => (Some(difference + 1), None),
            Operator::LtEq => (None, Some(difference)),
            Operator::Lt => (None, Some(difference - 1)),
            Operator::Eq => (Some(difference), Some(difference)),
            _ => return Ok(vec![]),
        };
        Ok(vec![if a.is_left {
            (a.column, b.column, lower, upper)
        } else {
            (b.column, a.column, upper.map(|v| -v), lower.map(|v| -v))
        }])
    }

    fn moment(&self, expression: &Expr) -> Result<Option<Moment>> {
        match expression {
            Expr::Column(_) => {
                if let Some(column) = self.left_column(expression) {
                    let keeps = self.left[column].keeps_event_time().is_some();
                    return Ok(keeps.then_some(Moment {
                        is_left: true,
                        column,
                        shift_us: 0,
                    }));
                }
                if let Some(column) = self.right_column(expression) {
                    let keeps = self.right[column].keeps_event_time().is_some();
                    return Ok(keeps.then_some(Moment {
                        is_left: false,
                        column,
                        shift_us: 0,
                    }));
                }
                Ok(None)
            }
            Expr::Cast(cast) => {
                let schema = self.join.schema.as_ref();
                let from = tick_us(&cast.expr.get_type(schema)?);
                match (from, tick_us(&expression.get_type(schema)?)) {
                    (Some(from), Some(to)) if to <= from => self.moment(&cast.expr),
                    _ => Ok(None),
                }
            }
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                let (inner, shift) = match op {
                    Operator::Plus => match interval_us(right) {
                        Some(shift) => (self.moment(left)?, shift),
                        None => match interval_us(left) {
                            Some(shift) => (self.moment(right)?, shift),
                            None => return Ok(None),
                        },
                    },
                    Operator::Minus => match interval_us(right) {
                        Some(shift) => (self.moment(left)?, -shift),
                        None => return Ok(None),
                    },
                    _ => return Ok(None),
                };
                Ok(inner.map(|moment| Moment {
                    shift_us: moment.shift_us + shift,
                    ..moment
                }))
            }
            _ => Ok(None),
        }
    }

    /// Conditions that the bounds of an interval join stand for already.
    pub fn is_bound(&self, condition: &Expr, bounds: &Bounds) -> Result<bool> {
        let limits = self.limits(condition)?;
        Ok(!limits.is_empty()
            && limits
                .iter()
                .all(|l| (l.0, l.1) == (bounds.left_time, bounds.right_time)))
    }
}

/// For people: the conditions of a join as SQL.
pub fn condition_text(join: &Join) -> String {
    let mut parts: Vec<String> = join
        .on
        .iter()
        .map(|(left, right)| format!("{} = {}", crate::tree::show(left), crate::tree::show(right)))
        .collect();
    for condition in join.filter.iter().flat_map(split_conjunction) {
        parts.push(crate::tree::show(condition));
    }
    parts.join(" AND ")
}
