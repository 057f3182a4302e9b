import java.lang.reflect.Field;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import main.scala.scienceworld.runtime.SimplifierProcessor$;
import scala.Tuple2;
import scala.Tuple3;
import scala.collection.immutable.Map;
import scala.collection.mutable.Set;
import scala.reflect.ClassTag;
import scala.reflect.ClassTag$;
import scienceworld.actions.*;
import scienceworld.environments.EnvironmentMaker$;
import scienceworld.input.InputParser$;
import scienceworld.objects.agent.Agent;
import scienceworld.runtime.AgentInterface;
import scienceworld.struct.EnvObject;
import scienceworld.tasks.Task;
import scienceworld.tasks.TaskMaker1;
import scienceworld.tasks.goals.GoalSequence;
import util.UniqueIdentifier$;

/**
 * One episode of ScienceWorld: what Python asks of the simulator, one call each, answered in strings.
 *
 * <p>It only calls the simulator's own public methods, in the order of its PythonInterface, which it stands in for.
 * Text travels in lines; where several lists are returned, they are parted by a line that holds U+001E alone.
 *
 * <p>Compiled by: javac --release 11 -g:none -cp scienceworld.jar Desk.java (a test compares the class file).
 */
public final class Desk {
    private static final String PART = "\u001e";
    private static final ClassTag<EnvObject> OBJECTS = ClassTag$.MODULE$.apply(EnvObject.class);
    private static final Random THROWAWAY = new Random();
    private static final Field STREAM = stream();

    private final Random random = new Random(0);
    private long count = 0;
    private String simplifications = "";
    private AgentInterface agent;

    private static Field stream() {
        try {
            Field field = scala.util.Random.class.getDeclaredField("self");
            field.setAccessible(true);
            return field;
        } catch (NoSuchFieldException error) {
            throw new ExceptionInInitializerError(error);
        }
    }

    private static void draw(Random from) {
        try {
            STREAM.set(scala.util.Random$.MODULE$, from);
        } catch (IllegalAccessException error) {
            throw new IllegalStateException(error);
        }
    }

    /** Put this episode's global state in place, and keep that of the one before (null: nobody's). */
    public void enter(Desk before) {
        if (before != null) {
            before.count = UniqueIdentifier$.MODULE$.count();
        }
        draw(random);
        UniqueIdentifier$.MODULE$.count_$eq(count);
        SimplifierProcessor$.MODULE$.parseSimplificationStr(simplifications);
    }

    /**
     * Load a level as PythonInterface.load does, but set up the one family of tasks that is played, not all 19.
     *
     * @param maker emptied, refilled and emptied again
     * @param family the Scala object that registers the task
     * @param ids how many object ids the families before it use up, and how many all of them do
     * @param seed of the random stream as those families leave it
     * @return what was wrong, in the simulator's words; "" when the level was loaded
     */
    public String load(String task, int variation, String simplifications, TaskMaker1 maker, String family,
            long idsBefore, long idsAll, long seed) throws ReflectiveOperationException {
        Class<?> registrar = Class.forName("scienceworld.tasks.specifictasks." + family);
        maker.tasks().clear();
        UniqueIdentifier$.MODULE$.count_$eq(idsBefore);
        random.setSeed(seed);
        registrar.getMethod("registerTasks", TaskMaker1.class).invoke(null, maker);
        UniqueIdentifier$.MODULE$.count_$eq(idsAll);
        random.setSeed(variation);
        Tuple2<EnvObject, Agent> world = EnvironmentMaker$.MODULE$.mkKitchenEnvironment(variation);
        Tuple2<scala.Option<Task>, String> made = maker.doTaskSetup(task, variation, world._1(), world._2());
        maker.tasks().clear();
        if (made._1().isEmpty()) {
            return "ERROR: Task (" + task + "): " + made._2();
        }
        this.simplifications = simplifications;
        QuickGoals.install(made._1().get().goalSequence());
        agent = new QuickInterface(world._1(), world._2(), made._1().get(), simplifications);
        return "";
    }

    /** Play on where a PythonInterface has loaded a level. */
    public void adopt(AgentInterface loaded, String simplifications) {
        this.simplifications = simplifications;
        agent = loaded;
    }

    /** Execute an action; not through PythonInterface.step, which looks and lists names besides, for its log. */
    public String step(String action) {
        Tuple3<String, Object, Object> outcome = agent.step(action);
        return outcome._2() + "\n" + outcome._3() + "\n" + choices() + "\n" + outcome._1();
    }

    /** Return score, completion and choices as `step` does, without a step and its feedback. */
    public String standing() {
        GoalSequence goals = agent.task().goalSequence();
        return goals.score() + "\n" + goals.isCompleted() + "\n" + choices() + "\n";
    }

    private int choices() {
        return agent.inputParser().getNumAmbiguousMatches();
    }

    public String look() {
        return agent.freeActionLook();
    }

    public String inventory() {
        return agent.freeActionInventory();
    }

    /** Return the look, the inventory and the listing, parted: what is asked after each step, in one call. */
    public String view() {
        return String.join("\n" + PART + "\n", look(), inventory(), listing());
    }

    public String description() {
        return agent.getTaskDescription();
    }

    public String templates() {
        return String.join("\n", agent.getPossibleActions());
    }

    public int ticks() {
        return agent.getCurIterations();
    }

    /** Return the names of the visible objects as the simulator's command "objects" lists them; changes nothing. */
    public String visible() {
        guard();
        try {
            return String.join("\n", agent.getPossibleObjects());
        } finally {
            draw(random);
        }
    }

    /** Return every valid action; changes nothing. */
    public String allCommands() {
        guard();
        try {
            return String.join("\n", agent.getValidActionObjectCombinations());
        } finally {
            draw(random);
        }
    }

    /** Return the names of the objects within reach and the valid actions of at most one object; changes nothing. */
    public String listing() {
        guard();
        try {
            return unguardedListing();
        } finally {
            draw(random);
        }
    }

    /** Let what is asked draw from a throwaway stream, always the same one: queries would change what comes next. */
    private static void guard() {
        THROWAWAY.setSeed(0);
        draw(THROWAWAY);
    }

    /** Return what `listing` does, drawing from the episode's own random stream (to show that queries must not). */
    public String unguardedListing() {
        EnvObject room = agent.getAgentVisibleObjects(false)._2();
        Set<EnvObject> found = InputParser$.MODULE$.collectAccessibleObjects(room, false);
        found.$plus$plus$eq(InputParser$.MODULE$.collectAccessibleObjects(agent.agent(), false));
        EnvObject[] objects = (EnvObject[]) found.toArray(OBJECTS);
        Map<Object, String> names =
            agent.inputParser().getAllUniqueReferentsLUTObjList(objects, room, true, true);
        List<String> lines = new ArrayList<>();
        lines.add(names.values().mkString("\n"));
        lines.add(PART);
        for (PossibleAction[] actions : commands(agent.agent(), objects, names)) {
            for (PossibleAction action : actions) {
                lines.add(action.mkHumanReadableStr());
            }
        }
        return String.join("\n", lines);
    }

    /**
     * Actions of at most one object whose validity the simulator can tell for all objects in one pass. Left out:
     * `disconnect`, which it accepts for everything.
     */
    private static PossibleAction[][] commands(Agent by, EnvObject[] objects, Map<Object, String> names) {
        return new PossibleAction[][] {
            ActionActivate$.MODULE$.generatePossibleValidActions(by, objects, names),
            ActionCloseDoor$.MODULE$.generatePossibleValidActions(by, objects, names),
            ActionDeactivate$.MODULE$.generatePossibleValidActions(by, objects, names),
            ActionEat$.MODULE$.generatePossibleValidActions(by, objects, names),
            ActionFlush$.MODULE$.generatePossibleValidActions(by, objects, names),
            ActionFocus$.MODULE$.generatePossibleValidActions(by, objects, names),
            ActionLookAt$.MODULE$.generatePossibleValidActions(by, objects, names),
            ActionLookIn$.MODULE$.generatePossibleValidActions(by, objects, names),
            ActionMix$.MODULE$.generatePossibleValidActions(by, objects, names),
            ActionMoveThroughDoor$.MODULE$.generatePossibleValidActions(by, objects, names),
            ActionOpenDoor$.MODULE$.generatePossibleValidActions(by, objects, names),
            ActionPickUpObjectIntoInventory$.MODULE$.generatePossibleValidActions(by, objects, names),
            ActionPutDownObjectIntoInventory$.MODULE$.generatePossibleValidActions(by, objects, names),
            ActionRead$.MODULE$.generatePossibleValidActions(by, objects, names),
        };
    }
}
