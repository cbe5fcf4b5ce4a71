// Event n of src/sources/generator/nexmark_events.cpp, function by function, as Flink's row: equal events for both
// engines. tests/integration/test_nexmark.py compares them.

import java.io.Serializable;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.data.binary.BinaryStringData;

public final class NexmarkEvents {
  static final class Settings implements Serializable {
    long seed = 1;
    long startMs = 1_767_225_600_000L; // 2026-01-01
    long eventRate = 10_000;
  }

  private static final long FIRST_PERSON = 1000;
  private static final long FIRST_AUCTION = 1000;
  private static final long FIRST_CATEGORY = 10;
  private static final int PERSONS = 1;
  private static final int AUCTIONS = 3;
  private static final int CYCLE = 50;
  private static final int HOT_EVERY = 100;
  private static final int IN_FLIGHT_AUCTIONS = 100;
  private static final int ACTIVE_PEOPLE = 1000;
  private static final int LEAD = 10;
  private static final int HOT_CHANNELS = 4;
  private static final int CHANNELS = 10_000;
  private static final int PRICE_STEPS = 384;
  private static final int TEXT_DRAWS = 16;
  private static final int SECOND_TEXT_DRAWS = 24;
  private static final int EXTRA_DRAWS = 64;
  private static final String[] FIRST_NAMES = {
    "Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter"
  };
  private static final String[] LAST_NAMES = {
    "Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris"
  };
  private static final BinaryStringData[] CITIES =
      strings(
          "Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland", "Bend", "Redmond", "Seattle", "Kent",
          "Cheyenne");
  private static final BinaryStringData[] STATES = strings("AZ", "CA", "ID", "OR", "WA", "WY");
  private static final String[] HOT_NAMES = {"Google", "Facebook", "Baidu", "Apple"};

  private static final long GAMMA = 0x9E3779B97F4A7C15L;
  private static final VarHandle LONGS =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

  private final long key;
  private final long startUs;
  private final long rate;
  private final long horizonMs;
  private final long[] prices = new long[PRICE_STEPS + 1];
  private final BinaryStringData[] channels = new BinaryStringData[HOT_CHANNELS + CHANNELS];
  private final BinaryStringData[] urls = new BinaryStringData[HOT_CHANNELS + CHANNELS];

  NexmarkEvents(Settings settings) {
    key = mix(settings.seed + GAMMA);
    startUs = settings.startMs * 1000;
    rate = settings.eventRate;
    horizonMs = Math.max(1, (long) IN_FLIGHT_AUCTIONS * CYCLE / AUCTIONS * 1000 / rate);
    for (int i = 0; i <= PRICE_STEPS; ++i) prices[i] = Math.round(100 * Math.pow(10, i / 64.0));
    for (int i = 0; i < HOT_CHANNELS + CHANNELS; ++i) {
      long page = mix(~key + i * GAMMA);
      StringBuilder url = new StringBuilder("https://www.nexmark.com/");
      for (int part = 0; part < 3; ++part) {
        byte[] text = letters(page, 1 + part, 3 + below((high(draw(page, 0)) << 8 * part) & 0xFFFFFFFFL, 3));
        url.append(new String(text, StandardCharsets.US_ASCII)).append('/');
      }
      url.append("item.htm?query=1");
      if (i < HOT_CHANNELS) {
        channels[i] = BinaryStringData.fromString(HOT_NAMES[i]);
      } else {
        int number = i - HOT_CHANNELS;
        channels[i] = BinaryStringData.fromString("channel-" + number);
        if (below(low(draw(page, 0)), 10) > 0) {
          url.append("&channel_id=").append(Math.abs((long) Integer.reverse(number)));
        }
      }
      urls[i] = BinaryStringData.fromString(url.toString());
    }
    for (int i = 0; i < urls.length; ++i) {
      channels[i].ensureMaterialized();
      urls[i].ensureMaterialized();
    }
  }

  // NexmarkEvents FIRST COUNT: prints the events as Flink does.
  public static void main(String[] arguments) {
    NexmarkEvents events = new NexmarkEvents(new Settings());
    long first = Long.parseLong(arguments[0]);
    for (long i = 0; i < Long.parseLong(arguments[1]); ++i) System.out.println(events.event(first + i));
  }

  RowData event(long number) {
    long event = mix(key + number * GAMMA);
    long epoch = number / CYCLE;
    int offset = (int) (number % CYCLE);
    long ms = Math.floorDiv(startUs + number / rate * 1_000_000 + number % rate * 1_000_000 / rate, 1000L);
    TimestampData time = TimestampData.fromEpochMillis(ms);
    GenericRowData row = new GenericRowData(4);
    if (offset < PERSONS) {
      row.setField(0, 0);
      row.setField(1, person(event, epoch, offset, time));
    } else if (offset < PERSONS + AUCTIONS) {
      row.setField(0, 1);
      row.setField(2, auction(event, epoch, offset, ms, time));
    } else {
      row.setField(0, 2);
      row.setField(3, bid(event, epoch, time));
    }
    return row;
  }

  private RowData person(long event, long epoch, int offset, TimestampData time) {
    long d0 = draw(event, 0);
    String first = FIRST_NAMES[below(high(d0), FIRST_NAMES.length)];
    String last = LAST_NAMES[below(low(d0), LAST_NAMES.length)];
    long d1 = draw(event, 1);
    BinaryStringData city = CITIES[below(high(d1), CITIES.length)];
    long d2 = draw(event, 2);
    int mailbox = 3 + below(high(d2), 5);
    int domain = 3 + below(low(d2), 3);
    byte[] email = new byte[mailbox + 1 + domain + 4];
    System.arraycopy(letters(event, TEXT_DRAWS, mailbox), 0, email, 0, mailbox);
    email[mailbox] = '@';
    System.arraycopy(letters(event, SECOND_TEXT_DRAWS, domain), 0, email, mailbox + 1, domain);
    email[mailbox + 1 + domain] = '.';
    email[mailbox + 2 + domain] = 'c';
    email[mailbox + 3 + domain] = 'o';
    email[mailbox + 4 + domain] = 'm';
    byte[] card = new byte[19];
    for (int part = 0; part < 4; ++part) {
      long d = draw(event, 3 + part / 2);
      if (part > 0) card[part * 5 - 1] = ' ';
      int digits = below(part % 2 == 0 ? high(d) : low(d), 10_000);
      for (int i = 3; i >= 0; --i, digits /= 10) card[part * 5 + i] = (byte) ('0' + digits % 10);
    }
    int used = 8 + first.length() + 1 + last.length() + email.length + 19 + city.getSizeInBytes() + 2;
    GenericRowData row = new GenericRowData(8);
    row.setField(0, FIRST_PERSON + epoch * PERSONS + offset);
    row.setField(1, BinaryStringData.fromString(first + " " + last));
    row.setField(2, BinaryStringData.fromBytes(email));
    row.setField(3, BinaryStringData.fromBytes(card));
    row.setField(4, city);
    row.setField(5, STATES[below(low(d1), STATES.length)]);
    row.setField(6, time);
    row.setField(7, extra(event, 200, used, draw(event, 5)));
    return row;
  }

  private RowData auction(long event, long epoch, int offset, long ms, TimestampData time) {
    long d0 = draw(event, 0);
    long lastPerson = epoch * PERSONS + PERSONS - 1;
    long d1 = draw(event, 1);
    long d2 = draw(event, 2);
    long d3 = draw(event, 3);
    int item = 3 + below(high(d3), 17);
    int description = 3 + below(low(d3), 97);
    long initial = price(high(d2));
    long horizon = Math.min(horizonMs * 2, 0xFFFFFFFFL);
    boolean hot = below(high(d0), 4) > 0;
    GenericRowData row = new GenericRowData(10);
    row.setField(0, FIRST_AUCTION + epoch * AUCTIONS + offset - PERSONS);
    row.setField(1, words(event, TEXT_DRAWS, item));
    row.setField(2, words(event, SECOND_TEXT_DRAWS, description));
    row.setField(3, initial);
    row.setField(4, initial + price(low(d2)));
    row.setField(5, time);
    row.setField(6, TimestampData.fromEpochMillis(ms + 1 + belowLong(low(d1), horizon)));
    row.setField(7, FIRST_PERSON + (hot ? lastPerson / HOT_EVERY * HOT_EVERY : activePerson(lastPerson, low(d0))));
    row.setField(8, FIRST_CATEGORY + below(high(d1), 5));
    row.setField(9, extra(event, 500, 48 + item + description, draw(event, 4)));
    return row;
  }

  private RowData bid(long event, long epoch, TimestampData time) {
    long d0 = draw(event, 0);
    long lastAuction = epoch * AUCTIONS + AUCTIONS - 1;
    long auction = below(high(d0), 2) > 0 ? lastAuction / HOT_EVERY * HOT_EVERY : openAuction(lastAuction, low(d0));
    long d1 = draw(event, 1);
    long lastPerson = epoch * PERSONS + PERSONS - 1;
    long bidder =
        below(high(d1), 4) > 0 ? lastPerson / HOT_EVERY * HOT_EVERY + 1 : activePerson(lastPerson, low(d1));
    long d3 = draw(event, 3);
    int channel = (d3 & 1) != 0 ? below(high(d3), HOT_CHANNELS) : HOT_CHANNELS + below(high(d3), CHANNELS);
    GenericRowData row = new GenericRowData(7);
    row.setField(0, FIRST_AUCTION + auction);
    row.setField(1, FIRST_PERSON + bidder);
    row.setField(2, price(high(draw(event, 2))));
    row.setField(3, channels[channel]);
    row.setField(4, urls[channel]);
    row.setField(5, time);
    row.setField(6, extra(event, 100, 32, draw(event, 4)));
    return row;
  }

  private static long activePerson(long lastPerson, long draw) {
    long active = Math.min(lastPerson + 1, ACTIVE_PEOPLE);
    return lastPerson + 1 - active + belowLong(draw, active + LEAD);
  }

  private static long openAuction(long lastAuction, long draw) {
    long oldest = Math.max(lastAuction - IN_FLIGHT_AUCTIONS, 0);
    return oldest + belowLong(draw, lastAuction - oldest + 1 + LEAD);
  }

  private long price(long draw) {
    long place = draw * PRICE_STEPS;
    int step = (int) (place >>> 32);
    long share = place >>> 16 & 0xFFFF;
    return prices[step] + ((prices[step + 1] - prices[step]) * share >> 16);
  }

  private static BinaryStringData extra(long event, int mean, int used, long draw) {
    if (used >= mean) return BinaryStringData.EMPTY_UTF8;
    int left = mean - used;
    int delta = (left + 2) / 5;
    return BinaryStringData.fromBytes(letters(event, EXTRA_DRAWS, left - delta + below(high(draw), 2 * delta)));
  }

  private static BinaryStringData words(long event, int firstDraw, int size) {
    byte[] out = letters(event, firstDraw, size);
    for (int i = 1; i + 1 < size; ++i) {
      if ((draw(event, firstDraw + i / 8) >>> 8 * (i % 8) & 0xFF) < 20) out[i] = ' ';
    }
    return BinaryStringData.fromBytes(out);
  }

  private static byte[] letters(long event, int firstDraw, int size) {
    byte[] out = new byte[size];
    int i = 0;
    for (; i + 8 <= size; i += 8) LONGS.set(out, i, letters(draw(event, firstDraw + i / 8)));
    if (i < size) {
      long eight = letters(draw(event, firstDraw + i / 8));
      for (; i < size; ++i, eight >>>= 8) out[i] = (byte) eight;
    }
    return out;
  }

  private static long letters(long draw) {
    final long lanes = 0x00FF00FF00FF00FFL;
    long even = (draw & lanes) * 26 >>> 8 & lanes;
    long odd = (draw >>> 8 & lanes) * 26 & ~lanes;
    return (even | odd) + 0x6161616161616161L;
  }

  private static long mix(long z) {
    z = (z ^ z >>> 30) * 0xBF58476D1CE4E5B9L;
    z = (z ^ z >>> 27) * 0x94D049BB133111EBL;
    return z ^ z >>> 31;
  }

  private static long draw(long event, int k) {
    return mix(event + (k + 1L) * GAMMA);
  }

  private static long high(long draw) {
    return draw >>> 32;
  }

  private static long low(long draw) {
    return draw & 0xFFFFFFFFL;
  }

  private static int below(long draw, int bound) {
    return (int) (draw * bound >>> 32);
  }

  private static long belowLong(long draw, long bound) {
    return draw * bound >>> 32;
  }

  private static BinaryStringData[] strings(String... texts) {
    return Arrays.stream(texts)
        .map(
            text -> {
              BinaryStringData string = BinaryStringData.fromString(text);
              string.ensureMaterialized();
              return string;
            })
        .toArray(BinaryStringData[]::new);
  }
}
