//! How much an UNNEST gives, told from the lengths of its lists before anything is allocated. Over the bound it is an
//! error, on which the caller halves its batch: what one event gives is bounded, not what a batch gives.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::DataType;
use datafusion::common::{exec_err, NullHandling, Result as DfResult};

/// Rows that one eval may produce.
const MAX_ROWS: u64 = 1_000_000;

/// Bytes that one UNNEST may repeat: an array that a later UNNEST takes is repeated for each element of this one.
const MAX_BYTES: u64 = 512 << 20;

/// How often each input row is there after an UNNEST.
#[derive(Default)]
pub struct FanOut {
    rows: Vec<u64>,
    /// Before the last level of several.
    between: Vec<u64>,
}

impl FanOut {
    /// `lists`: column and depth.
    pub fn of(
        columns: &[ArrayRef],
        rows: usize,
        lists: &[(usize, usize)],
        nulls: NullHandling,
    ) -> DfResult<Self> {
        let mut fan_out = FanOut::default();
        let depth = lists.iter().map(|(_, depth)| *depth).max().unwrap_or(0);
        let (mut total, mut total_between) = (0, 0);
        let mut start: Vec<Cursor> = Vec::with_capacity(lists.len());
        for row in 0..rows {
            let mut count = Count {
                lists,
                nulls,
                between: 0,
                rows: 0,
            };
            if depth == 0 {
                count.rows = 1;
            } else {
                start.clear();
                start.extend(
                    lists
                        .iter()
                        .map(|(column, _)| Some((&columns[*column], row))),
                );
                count.add(depth, &start)?;
            }
            total += count.rows;
            total_between += count.between;
            fan_out.rows.push(count.rows);
            fan_out.between.push(count.between);
        }
        if total > MAX_ROWS {
            let (total, most) = (grouped(total), grouped(MAX_ROWS));
            return exec_err!("UNNEST gives {total} rows, at most {most} an event");
        }
        if total_between > MAX_ROWS {
            return too_many();
        }
        let bytes = fan_out.bytes(columns, lists, depth);
        if bytes > MAX_BYTES {
            let (bytes, most) = (grouped(bytes >> 20), MAX_BYTES >> 20);
            return exec_err!("UNNEST gives {bytes} MiB, at most {most} MiB an event");
        }
        Ok(fan_out)
    }

    pub fn total(&self) -> usize {
        self.rows.iter().sum::<u64>() as usize
    }

    /// Of the columns that are repeated, about; the elements of a list that is unnested are there once.
    fn bytes(&self, columns: &[ArrayRef], lists: &[(usize, usize)], depth: usize) -> u64 {
        let mut repeated: Vec<(&ArrayRef, &[u64])> = Vec::new();
        for (index, column) in columns.iter().enumerate() {
            let mut depths = lists.iter().filter(|(list, _)| *list == index).peekable();
            if depths.peek().is_none() {
                repeated.push((column, &self.rows));
            } else if depths.any(|(_, own)| *own < depth) {
                // Its turn comes at a later level.
                repeated.push((column, &self.between));
            }
        }
        // Nearly every batch is small, whatever its rows look like.
        let most = |times: &[u64]| times.iter().max().copied().unwrap_or(0);
        let at_most = repeated.iter().map(|(column, times)| {
            let size = column.get_buffer_memory_size() as u64;
            size.saturating_mul(most(times))
        });
        if at_most.fold(0, u64::saturating_add) <= MAX_BYTES {
            return 0;
        }
        let exact = repeated.iter().flat_map(|(column, times)| {
            let widths = widths(column.as_ref()).into_iter();
            widths.zip(*times).map(|(width, times)| width * times)
        });
        exact.fold(0, u64::saturating_add)
    }
}

fn too_many<T>() -> DfResult<T> {
    exec_err!("UNNEST gives more than {} rows an event", grouped(MAX_ROWS))
}

/// "1,000,000"
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().collect();
    String::from_utf8_lossy(&groups.join(&b',')).into_owned()
}

/// What DataFusion's operator does with one input row, in numbers alone.
struct Count<'a> {
    lists: &'a [(usize, usize)],
    nulls: NullHandling,
    between: u64,
    rows: u64,
}

/// A list as a row of an array; None fills up beside a longer list.
type Cursor<'a> = Option<(&'a ArrayRef, usize)>;

impl Count<'_> {
    fn add(&mut self, level: usize, at: &[Cursor]) -> DfResult<()> {
        let mut longest = 0;
        for (cursor, (_, depth)) in at.iter().zip(self.lists) {
            if *depth >= level {
                longest = longest.max(self.length(*cursor)?);
            }
        }
        if level == 1 {
            self.rows += longest as u64;
            return Ok(());
        }
        self.between += longest as u64;
        for index in 0..longest {
            if self.between > MAX_ROWS || self.rows > MAX_ROWS {
                return too_many();
            }
            let mut next = Vec::with_capacity(at.len());
            for (cursor, (_, depth)) in at.iter().zip(self.lists) {
                next.push(if *depth >= level {
                    element(*cursor, index)?
                } else {
                    *cursor
                });
            }
            self.add(level - 1, &next)?;
        }
        Ok(())
    }

    fn length(&self, cursor: Cursor) -> DfResult<usize> {
        let null = usize::from(self.nulls != NullHandling::Drop);
        let empty = usize::from(self.nulls == NullHandling::PreserveAndExpandEmpty);
        Ok(match cursor {
            Some((list, row)) if !list.is_null(row) => match elements(list, row)?.1 {
                (start, end) if start == end => empty,
                (start, end) => end - start,
            },
            _ => null,
        })
    }
}

fn element(cursor: Cursor, index: usize) -> DfResult<Cursor> {
    let Some((list, row)) = cursor else {
        return Ok(None);
    };
    if list.is_null(row) {
        return Ok(None);
    }
    let (values, (start, end)) = elements(list, row)?;
    Ok((start + index < end).then_some((values, start + index)))
}

fn elements(list: &ArrayRef, row: usize) -> DfResult<(&ArrayRef, (usize, usize))> {
    Ok(match list.data_type() {
        DataType::List(_) => {
            let list = list.as_list::<i32>();
            let offsets = list.value_offsets();
            let range = (offsets[row] as usize, offsets[row + 1] as usize);
            (list.values(), range)
        }
        DataType::LargeList(_) => {
            let list = list.as_list::<i64>();
            let offsets = list.value_offsets();
            let range = (offsets[row] as usize, offsets[row + 1] as usize);
            (list.values(), range)
        }
        DataType::FixedSizeList(_, size) => {
            let list = list.as_fixed_size_list();
            let start = list.value_offset(row) as usize;
            (list.values(), (start, start + *size as usize))
        }
        other => return exec_err!("UNNEST of {other} is not supported"),
    })
}

/// Bytes of each row, about.
fn widths(array: &dyn Array) -> Vec<u64> {
    let mut widths = match array.data_type() {
        DataType::Utf8 => lengths(array.as_string::<i32>().value_offsets()),
        DataType::Binary => lengths(array.as_binary::<i32>().value_offsets()),
        DataType::LargeUtf8 => lengths(array.as_string::<i64>().value_offsets()),
        DataType::LargeBinary => lengths(array.as_binary::<i64>().value_offsets()),
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            sums(list.values().as_ref(), list.value_offsets())
        }
        DataType::LargeList(_) => {
            let list = array.as_list::<i64>();
            sums(list.values().as_ref(), list.value_offsets())
        }
        DataType::Map(_, _) => {
            let map = array.as_map();
            sums(map.entries(), map.value_offsets())
        }
        DataType::FixedSizeList(_, size) => {
            let list = array.as_fixed_size_list();
            let start = i64::from(list.value_offset(0));
            let offsets: Vec<i64> = (0..=list.len() as i64)
                .map(|row| start + row * i64::from(*size))
                .collect();
            sums(list.values().as_ref(), &offsets)
        }
        DataType::Struct(_) => {
            let mut whole = vec![0; array.len()];
            for column in array.as_struct().columns() {
                for (sum, width) in whole.iter_mut().zip(self::widths(column.as_ref())) {
                    *sum += width;
                }
            }
            whole
        }
        DataType::FixedSizeBinary(size) => vec![*size as u64; array.len()],
        // Views repeat no bytes.
        other => vec![other.primitive_width().unwrap_or(16) as u64; array.len()],
    };
    if let Some(nulls) = array.nulls() {
        for (width, valid) in widths.iter_mut().zip(nulls) {
            *width *= u64::from(valid);
        }
    }
    widths
}

fn lengths<Offset: Copy + Into<i64>>(offsets: &[Offset]) -> Vec<u64> {
    let pairs = offsets.windows(2);
    pairs
        .map(|pair| (pair[1].into() - pair[0].into()) as u64)
        .collect()
}

fn sums<Offset: Copy + Into<i64>>(values: &dyn Array, offsets: &[Offset]) -> Vec<u64> {
    let (first, last) = (offsets[0].into(), offsets[offsets.len() - 1].into());
    let values = values.slice(first as usize, (last - first) as usize);
    let mut elements = widths(values.as_ref()).into_iter();
    let lengths = lengths(offsets).into_iter();
    lengths
        .map(|length| elements.by_ref().take(length as usize).sum())
        .collect()
}
