// 'connector' = 'nexmark': the events of our generator inside Flink. Options rows, seed, event-rate. Subtask i of p
// makes the events i, i + p, …, so that their times advance together.

import java.util.Set;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.legacy.table.connector.source.SourceFunctionProvider;
import org.apache.flink.streaming.api.functions.source.legacy.RichParallelSourceFunction;
import org.apache.flink.table.connector.ChangelogMode;
import org.apache.flink.table.connector.source.DynamicTableSource;
import org.apache.flink.table.connector.source.ScanTableSource;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.factories.DynamicTableSourceFactory;
import org.apache.flink.table.factories.FactoryUtil;

public final class NexmarkTableFactory implements DynamicTableSourceFactory {
  private static final ConfigOption<Long> ROWS = ConfigOptions.key("rows").longType().noDefaultValue();
  private static final ConfigOption<Long> SEED = ConfigOptions.key("seed").longType().defaultValue(1L);
  private static final ConfigOption<Long> RATE = ConfigOptions.key("event-rate").longType().defaultValue(10_000L);

  @Override
  public String factoryIdentifier() {
    return "nexmark";
  }

  @Override
  public Set<ConfigOption<?>> requiredOptions() {
    return Set.of(ROWS);
  }

  @Override
  public Set<ConfigOption<?>> optionalOptions() {
    return Set.of(SEED, RATE);
  }

  @Override
  public DynamicTableSource createDynamicTableSource(Context context) {
    FactoryUtil.TableFactoryHelper helper = FactoryUtil.createTableFactoryHelper(this, context);
    helper.validate();
    ReadableConfig options = helper.getOptions();
    NexmarkEvents.Settings settings = new NexmarkEvents.Settings();
    settings.seed = options.get(SEED);
    settings.eventRate = options.get(RATE);
    return new Table(options.get(ROWS), settings);
  }

  private record Table(long rows, NexmarkEvents.Settings settings) implements ScanTableSource {
    @Override
    public ChangelogMode getChangelogMode() {
      return ChangelogMode.insertOnly();
    }

    @Override
    public ScanRuntimeProvider getScanRuntimeProvider(ScanContext context) {
      return SourceFunctionProvider.of(new Events(rows, settings), true);
    }

    @Override
    public DynamicTableSource copy() {
      return this;
    }

    @Override
    public String asSummaryString() {
      return "Nexmark";
    }
  }

  private static final class Events extends RichParallelSourceFunction<RowData> {
    private final long rows;
    private final NexmarkEvents.Settings settings;
    private volatile boolean running = true;

    Events(long rows, NexmarkEvents.Settings settings) {
      this.rows = rows;
      this.settings = settings;
    }

    @Override
    public void run(SourceContext<RowData> context) {
      NexmarkEvents events = new NexmarkEvents(settings);
      int subtask = getRuntimeContext().getTaskInfo().getIndexOfThisSubtask();
      int subtasks = getRuntimeContext().getTaskInfo().getNumberOfParallelSubtasks();
      for (long number = subtask; number < rows && running; number += subtasks) {
        synchronized (context.getCheckpointLock()) {
          context.collect(events.event(number));
        }
      }
    }

    @Override
    public void cancel() {
      running = false;
    }
  }
}
