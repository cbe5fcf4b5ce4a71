//! `JOIN dim FOR SYSTEM_TIME AS OF o.p AS d`: a table that is looked up row by row. What stands for it in the text that
//! reaches DataFusion is `_weir_lookup(dim, o.p)`, in the logical plan a node that no filter is pushed below.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::common::{plan_err, DFSchemaRef, Result};
use datafusion::logical_expr::planner::{
    PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning,
};
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, UserDefinedLogicalNodeCore};
use datafusion::sql::sqlparser::ast::{
    Expr as SqlExpr, FunctionArg, FunctionArgExpr, Spanned, TableFactor,
};

use crate::times::{traits, Trait};
use crate::window_tvf::{at, factor_of, LOOKUP};

/// The moment of a lookup, as written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Moment {
    Column { table: Option<String>, name: String },
    Now,
}

#[derive(Debug, Clone)]
pub struct Lookup {
    pub input: Arc<LogicalPlan>,
    pub moment: Moment,
}

impl Lookup {
    pub fn of(plan: &LogicalPlan) -> Option<&Lookup> {
        match plan {
            LogicalPlan::Extension(extension) => extension.node.as_any().downcast_ref(),
            _ => None,
        }
    }
    /// The lookup that the right side of a join is, below aliases, filters and projections.
    pub fn below(plan: &LogicalPlan) -> Option<&Lookup> {
        match plan {
            LogicalPlan::SubqueryAlias(alias) => Self::below(&alias.input),
            LogicalPlan::Filter(filter) => Self::below(&filter.input),
            LogicalPlan::Projection(projection) => Self::below(&projection.input),
            other => Self::of(other),
        }
    }
}

impl PartialEq for Lookup {
    fn eq(&self, other: &Self) -> bool {
        self.input == other.input && self.moment == other.moment
    }
}
impl Eq for Lookup {}
impl Hash for Lookup {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.input.hash(state);
        self.moment.hash(state);
    }
}
impl PartialOrd for Lookup {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for Lookup {
    fn name(&self) -> &str {
        "Lookup"
    }
    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }
    fn schema(&self) -> &DFSchemaRef {
        self.input.schema()
    }
    fn expressions(&self) -> Vec<Expr> {
        vec![]
    }
    // Every column prevents the push-down of filters: the default.
    fn fmt_for_explain(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Lookup")
    }
    fn with_exprs_and_inputs(&self, _: Vec<Expr>, mut inputs: Vec<LogicalPlan>) -> Result<Self> {
        match inputs.pop() {
            Some(input) => Ok(Lookup {
                input: Arc::new(input),
                moment: self.moment.clone(),
            }),
            None => plan_err!("a lookup has one input"),
        }
    }
    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        Some(vec![output_columns.to_vec()])
    }
}

#[derive(Debug, Default)]
pub struct LookupPlanner;

impl RelationPlanner for LookupPlanner {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        let TableFactor::Table {
            name,
            alias,
            args: Some(arguments),
            ..
        } = &relation
        else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        if name.to_string() != LOOKUP {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        }
        let span = name.span();
        let mut parts: Vec<SqlExpr> = Vec::new();
        for argument in &arguments.args {
            match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(part)) => parts.push(part.clone()),
                _ => return Err(at(span, "FOR SYSTEM_TIME AS OF takes a column")),
            }
        }
        let [table, moment] = parts.as_slice() else {
            return Err(at(span, "FOR SYSTEM_TIME AS OF takes one column"));
        };
        let moment = match moment {
            SqlExpr::Identifier(name) => Moment::Column {
                table: None,
                name: name.value.clone(),
            },
            SqlExpr::CompoundIdentifier(names) if names.len() == 2 => Moment::Column {
                table: Some(names[0].value.clone()),
                name: names[1].value.clone(),
            },
            SqlExpr::Function(call) if call.name.to_string().eq_ignore_ascii_case("PROCTIME") => {
                Moment::Now
            }
            other => {
                let words =
                    "FOR SYSTEM_TIME AS OF takes a processing-time column of the left table, \
                             one AS PROCTIME()";
                return Err(at(other.span(), words));
            }
        };
        let input = context.plan(factor_of(table.clone())?)?;
        let node = Lookup {
            input: Arc::new(input),
            moment,
        };
        let plan = LogicalPlan::Extension(Extension {
            node: Arc::new(node),
        });
        // The table's own name stays one that its columns can be called by.
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(
            plan,
            alias.clone(),
        ))))
    }
}

/// Words about a lookup whose moment is no processing time, and the name that they are about.
pub fn wrong_moment(plan: &LogicalPlan) -> Option<(String, String)> {
    if let LogicalPlan::Join(join) = plan {
        if let Some(Lookup {
            moment: Moment::Column { table, name },
            ..
        }) = Lookup::below(&join.right)
        {
            let schema = join.left.schema();
            let mut found = schema.iter().enumerate().filter(|(_, (qualifier, field))| {
                let of_table = table.as_deref().is_none_or(|table| {
                    qualifier.is_some_and(|qualifier| qualifier.table() == table)
                });
                of_table && field.name() == name
            });
            let Some((index, _)) = found.next() else {
                let words = format!("there is no column '{name}' on the left of this lookup");
                return Some((words, name.clone()));
            };
            let processing = traits(&join.left)
                .is_ok_and(|found| found.get(index) == Some(&Trait::ProcessingTime));
            if !processing {
                let words = format!(
                    "'{name}' is no processing time: FOR SYSTEM_TIME AS OF reads the table as it is now, by \
                     a column AS PROCTIME() of the left table, or PROCTIME() itself"
                );
                return Some((words, name.clone()));
            }
        }
    }
    plan.inputs().into_iter().find_map(wrong_moment)
}
