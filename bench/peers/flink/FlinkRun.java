// Flink SQL, file by file, in one process that stays warm: FlinkRun KEY=VALUE… (Flink's own settings). A line of the
// input names a file; when its INSERT has ended, a line of JSON says how long it took and the CPU of this process in
// that time. Statements end with ';' at a line's end. A failed file ends the process.

import com.sun.management.OperatingSystemMXBean;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.table.api.TableResult;

public final class FlinkRun {
  public static void main(String[] settings) throws Exception {
    Configuration configuration = new Configuration();
    configuration.setString("execution.target", "local");
    configuration.setString("table.local-time-zone", "UTC");
    for (String setting : settings) {
      String[] parts = setting.split("=", 2);
      configuration.setString(parts[0], parts[1]);
    }
    OperatingSystemMXBean process = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
    for (String file = input.readLine(); file != null; file = input.readLine()) {
      System.gc(); // what an earlier file left behind is not this one's work
      long cpu = process.getProcessCpuTime();
      long wall = System.nanoTime();
      try {
        run(Files.readString(Path.of(file)), configuration);
      } catch (Exception error) {
        error.printStackTrace();
        System.exit(1);
      }
      System.out.printf(
          Locale.ROOT, "{\"wall\":%.3f,\"cpu\":%.3f}%n", (System.nanoTime() - wall) / 1e9,
          (process.getProcessCpuTime() - cpu) / 1e9);
    }
    System.exit(0);
  }

  private static void run(String sql, Configuration configuration) throws Exception {
    TableEnvironment environment =
        TableEnvironment.create(
            EnvironmentSettings.newInstance().inStreamingMode().withConfiguration(configuration).build());
    for (String statement : sql.split(";[ \\t]*(--[^\\n]*)?\\n")) {
      String text = statement.strip();
      while (text.startsWith("--")) text = text.substring(text.indexOf('\n') + 1).strip();
      if (text.isEmpty()) continue;
      TableResult result = environment.executeSql(text);
      if (text.startsWith("INSERT")) result.await();
    }
  }
}
