// A Flink cluster and its SQL gateway in one process, for tests: FlinkServer KEY=VALUE… (Flink's own settings).
// rest.port is the JobManager's, sql-gateway.endpoint.rest.port the gateway's.

import java.util.List;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.runtime.minicluster.MiniClusterConfiguration;
import org.apache.flink.table.gateway.SqlGateway;
import org.apache.flink.table.gateway.service.context.DefaultContext;
import org.apache.flink.table.gateway.service.session.SessionManager;

public class FlinkServer {
  public static void main(String[] settings) throws Exception {
    Configuration configuration = new Configuration();
    for (String setting : settings) {
      String[] parts = setting.split("=", 2);
      configuration.setString(parts[0], parts[1]);
    }
    String slots = configuration.getString("taskmanager.numberOfTaskSlots", "8");
    MiniCluster cluster =
        new MiniCluster(
            new MiniClusterConfiguration.Builder()
                .setConfiguration(configuration)
                .setNumTaskManagers(1)
                .setNumSlotsPerTaskManager(Integer.parseInt(slots))
                .build());
    cluster.start();
    configuration.setString("execution.target", "remote");
    configuration.setString("rest.address", "127.0.0.1");
    DefaultContext context = new DefaultContext(configuration, List.of());
    SqlGateway gateway = new SqlGateway(configuration, SessionManager.create(context));
    gateway.start();
    System.err.println("Flink is ready");
    gateway.waitUntilStop();
  }
}
