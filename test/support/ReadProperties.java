import java.io.*;
import java.nio.charset.StandardCharsets;
import java.util.*;

/** Reads .properties files, in base64 one a line; writes for each its pairs, in base64 of UTF-16BE, and an empty line. */
class ReadProperties {
    public static void main(String[] args) throws IOException {
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        var out = new PrintStream(new BufferedOutputStream(System.out), false, StandardCharsets.US_ASCII);
        for (String line; (line = in.readLine()) != null; ) {
            byte[] file = Base64.getDecoder().decode(line);
            var latin1 = new Properties();
            latin1.load(new ByteArrayInputStream(file));
            var utf8 = new Properties();
            utf8.load(new InputStreamReader(new ByteArrayInputStream(file), StandardCharsets.UTF_8));
            if (!latin1.equals(utf8)) throw new IOException("ISO-8859-1 and UTF-8 read different properties");
            for (String name : latin1.stringPropertyNames()) {
                out.println(base64(name) + " " + base64(latin1.getProperty(name)));
            }
            out.println();
        }
        out.flush();
    }

    private static String base64(String text) {
        return Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_16BE));
    }
}
