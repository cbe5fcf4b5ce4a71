// Events of Beam's Nexmark generator, one JSON line each in the shape of our table `nexmark`: BeamEvents COUNT. What is
// drawn is Beam's; its bids have neither channel nor url.

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.datatype.joda.JodaModule;
import java.io.BufferedOutputStream;
import java.io.PrintStream;
import org.apache.beam.sdk.nexmark.NexmarkConfiguration;
import org.apache.beam.sdk.nexmark.model.Event;
import org.apache.beam.sdk.nexmark.sources.generator.Generator;
import org.apache.beam.sdk.nexmark.sources.generator.GeneratorConfig;

public class BeamEvents {
  public static void main(String[] arguments) throws Exception {
    NexmarkConfiguration configuration = new NexmarkConfiguration();
    configuration.numEventGenerators = 1;
    configuration.firstEventRate = configuration.nextEventRate = 1000;
    ObjectMapper json =
        new ObjectMapper().registerModule(new JodaModule()).disable(SerializationFeature.WRITE_DATES_AS_TIMESTAMPS);
    Generator events =
        new Generator(new GeneratorConfig(configuration, 1_767_225_600_000L, 0, Long.parseLong(arguments[0]), 0));
    PrintStream out = new PrintStream(new BufferedOutputStream(System.out, 1 << 16), false, "UTF-8");
    while (events.hasNext()) {
      Event event = events.next().getValue();
      Object entity = event.newPerson != null ? event.newPerson : event.newAuction != null ? event.newAuction : event.bid;
      int type = event.newPerson != null ? 0 : event.newAuction != null ? 1 : 2;
      String name = type == 0 ? "person" : type == 1 ? "auction" : "bid";
      out.println("{\"event_type\":" + type + ",\"" + name + "\":" + json.writeValueAsString(entity) + "}");
    }
    out.flush();
  }
}
