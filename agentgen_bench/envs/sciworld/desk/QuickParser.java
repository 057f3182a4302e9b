import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import language.model.ActionExprOR;
import language.model.ActionRequestDef;
import language.model.ActionTrigger;
import scala.Option;
import scala.Tuple2;
import scala.Tuple4;
import scala.collection.Iterator;
import scala.collection.immutable.Set;
import scienceworld.actions.Action;
import scienceworld.input.InputParser;
import scienceworld.input.InputParser$;
import scienceworld.objects.agent.Agent;
import scienceworld.objects.portal.Portal;
import scienceworld.struct.EnvObject;
import scienceworld.tasks.goals.GoalSequence;
import scienceworld.tasks.goals.ObjMonitor;

/**
 * The simulator's parser, less the three things that took it most of a step, with the same results.
 *
 * <p>It lists every object of the world for the sake of actions that reach everywhere: only `teleport` does. It makes
 * the names of each object anew for each pattern that an action might match: within one action they stay, and they
 * follow from what the object and its container call themselves, which changes seldom. And it makes them once more
 * where it looks for a name that tells each object from the others.
 */
final class QuickParser extends InputParser {
    private final List<ActionTrigger> reachingEverywhere = new ArrayList<>();
    private static final int MOST_MADE = 4_096;
    private static final Map<String, String[]> MADE = new HashMap<>(); // referents by what they are made of, in order
    private static final Map<String, String[]> SORTED = new HashMap<>(); // with containers, untokenized, likewise

    private final Map<Long, Named> names = new HashMap<>(); // by object id, while an action is parsed
    private final Map<Long, String> containers = new HashMap<>(); // what they call themselves, by id, likewise

    private static final class Named {
        final EnvObject object;
        final String[] referents;

        Named(EnvObject object, String[] referents) {
            this.object = object;
            this.referents = referents;
        }
    }

    QuickParser(ActionRequestDef[] actions) {
        super(actions);
        for (ActionRequestDef action : actions) {
            if (action.isOracleAction()) {
                Iterator<ActionTrigger> triggers = action.triggers().iterator();
                while (triggers.hasNext()) {
                    reachingEverywhere.add(triggers.next());
                }
            }
        }
    }

    @Override
    public Tuple4<Object, String, String, Option<Action>> parse(String input, EnvObject visible, EnvObject universe,
            Agent agent, ObjMonitor monitor, GoalSequence goals, EnvObject perspective) {
        forget();
        try {
            EnvObject reach = mayReachEverywhere(input) ? universe : agent;
            return super.parse(input, visible, reach, agent, monitor, goals, perspective);
        } finally {
            forget();
        }
    }

    private void forget() {
        names.clear();
        containers.clear();
    }

    private boolean mayReachEverywhere(String input) {
        String text = String.join(" ", InputParser$.MODULE$.tokenize(input.toLowerCase()));
        for (ActionTrigger trigger : reachingEverywhere) {
            Object first = trigger.pattern().head();
            boolean lexical = first instanceof ActionExprOR;
            if (!lexical || (Boolean) matchLexical(text, ((ActionExprOR) first).orElements())._1()) {
                return true;
            }
        }
        return false;
    }

    @Override
    @SuppressWarnings("unchecked")
    public Tuple2<Object, Tuple2<String, EnvObject>[]> matchObj(String text, EnvObject[] objects,
            EnvObject perspective) {
        List<Tuple2<String, EnvObject>> found = new ArrayList<>();
        for (EnvObject object : objects) {
            for (String referent : referents(object, perspective)) {
                if (text.startsWith(referent)) {
                    found.add(new Tuple2<>(text.substring(referent.length()).trim(), object));
                }
            }
        }
        return new Tuple2<>(!found.isEmpty(), found.toArray(new Tuple2[0]));
    }

    private String[] referents(EnvObject object, EnvObject perspective) {
        Named known = names.get(object.uuid());
        if (known == null || known.object != object) {
            known = new Named(object, made(object, perspective));
            names.put(object.uuid(), known);
        }
        return known.referents;
    }

    /** Return the simulator's referents of an object, made anew only where it or its container has another name. */
    private String[] made(EnvObject object, EnvObject perspective) {
        return MADE.computeIfAbsent(key(MADE, object, perspective),
            key -> InputParser$.MODULE$.getObjectReferents(object, perspective));
    }

    /** Return what the simulator chooses a unique name from, in the order of the alphabet, made likewise. */
    private String[] sorted(EnvObject object, EnvObject perspective) {
        return SORTED.computeIfAbsent(key(SORTED, object, perspective), key -> {
            List<String> found = new ArrayList<>();
            Iterator<String> referents = object.getReferentsWithContainers(perspective).iterator();
            while (referents.hasNext()) {
                found.add(referents.next());
            }
            Collections.sort(found);
            return found.toArray(new String[0]);
        });
    }

    /** Return what the referents of an object are made of; a table that has grown too large is emptied first. */
    private String key(Map<String, String[]> table, EnvObject object, EnvObject perspective) {
        if (table.size() >= MOST_MADE) {
            table.clear();
        }
        Set<String> own =
            object instanceof Portal ? ((Portal) object).getReferents(perspective) : object.getReferents();
        Option<EnvObject> container = object.getContainer();
        return own.mkString("\u0000") + (container.isEmpty() ? "" : "\u0001" + named(container.get()));
    }

    private String named(EnvObject container) {
        return containers.computeIfAbsent(container.uuid(), id -> container.getReferents().mkString("\u0000"));
    }

    @Override
    @SuppressWarnings("unchecked")
    public Tuple2<String, EnvObject>[] getAllUniqueReferentsObjList(EnvObject[] objects, EnvObject perspective,
            boolean includeHidden, boolean recursive) {
        String[][] referents = new String[objects.length][];
        containers.clear();
        for (int i = 0; i < objects.length; i++) {
            referents[i] = sorted(objects[i], perspective);
        }
        containers.clear();
        String[] chosen = UniqueReferents.chosen(referents);
        Tuple2<String, EnvObject>[] pairs = new Tuple2[objects.length];
        for (int i = 0; i < objects.length; i++) {
            pairs[i] = new Tuple2<>(chosen[i].toLowerCase(), objects[i]);
        }
        Arrays.sort(pairs, Comparator.comparing(pair -> pair._1()));
        return pairs;
    }
}
