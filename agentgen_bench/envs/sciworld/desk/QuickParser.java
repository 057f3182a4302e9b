import java.util.ArrayList;
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
 * The simulator's parser, less the two things that took it most of a step, with the same results.
 *
 * <p>It lists every object of the world for the sake of actions that reach everywhere: only `teleport` does. And it
 * makes the names of each object anew for each pattern that an action might match: within one action they stay, and
 * they follow from what the object and its container call themselves, which changes seldom.
 */
final class QuickParser extends InputParser {
    private final List<ActionTrigger> reachingEverywhere = new ArrayList<>();
    private static final int MOST_MADE = 4_096;
    private static final Map<String, String[]> MADE = new HashMap<>(); // referents by what they are made of, in order

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
        Set<String> own =
            object instanceof Portal ? ((Portal) object).getReferents(perspective) : object.getReferents();
        Option<EnvObject> container = object.getContainer();
        String key = own.mkString("\u0000") + (container.isEmpty() ? "" : "\u0001" + named(container.get()));
        String[] referents = MADE.get(key);
        if (referents == null) {
            referents = InputParser$.MODULE$.getObjectReferents(object, perspective);
            if (MADE.size() >= MOST_MADE) {
                MADE.clear();
            }
            MADE.put(key, referents);
        }
        return referents;
    }

    private String named(EnvObject container) {
        return containers.computeIfAbsent(container.uuid(), id -> container.getReferents().mkString("\u0000"));
    }
}
