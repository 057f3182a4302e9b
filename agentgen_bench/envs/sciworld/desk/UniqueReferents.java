import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import scala.util.Random$;

/** How the simulator chooses a name for each object that tells it from the others, with the same random numbers. */
final class UniqueReferents {
    private static final int ATTEMPTS = 20;
    private static final int IN_ORDER = 10; // attempts that take the next name; later ones draw it

    private UniqueReferents() {}

    /** Return one of the lower-case names of each object; where names are too few, several objects have the same. */
    static String[] chosen(String[][] all) {
        String[][] referents = withoutDuplicates(all);
        int[] places = new int[referents.length];
        for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
            Map<String, Integer> frequency = new HashMap<>();
            for (int i = 0; i < referents.length; i++) {
                frequency.merge(referents[i][places[i]], 1, Integer::sum);
            }
            for (int i = 0; i < referents.length; i++) {
                if (frequency.get(referents[i][places[i]]) > 1) {
                    places[i] = attempt < IN_ORDER
                        ? (places[i] + 1) % referents[i].length
                        : Random$.MODULE$.nextInt(referents[i].length);
                }
            }
        }
        String[] chosen = new String[referents.length];
        for (int i = 0; i < referents.length; i++) {
            chosen[i] = referents[i][places[i]];
        }
        return chosen;
    }

    /** Return of each object's names those that no other has, or all of them where there is none. */
    private static String[][] withoutDuplicates(String[][] all) {
        Map<String, Integer> frequency = new HashMap<>();
        for (String[] referents : all) {
            for (String referent : referents) {
                frequency.merge(referent, 1, Integer::sum);
            }
        }
        String[][] out = new String[all.length][];
        for (int i = 0; i < all.length; i++) {
            List<String> unique = new ArrayList<>();
            for (String referent : all[i]) {
                if (frequency.get(referent) == 1) {
                    unique.add(referent);
                }
            }
            out[i] = unique.isEmpty() ? all[i] : unique.toArray(new String[0]);
        }
        return out;
    }
}
