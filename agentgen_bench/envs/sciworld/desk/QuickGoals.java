import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.reflect.Field;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Predicate;
import scala.Option;
import scala.collection.Iterator;
import scala.collection.mutable.Set;
import scienceworld.objects.agent.Agent;
import scienceworld.objects.livingthing.LivingThing;
import scienceworld.objects.portal.Portal;
import scienceworld.struct.EnvObject;
import scienceworld.tasks.goals.Goal;
import scienceworld.tasks.goals.GoalReturn;
import scienceworld.tasks.goals.GoalSequence;
import scienceworld.tasks.goals.specificgoals.GoalActivateDeviceWithName;
import scienceworld.tasks.goals.specificgoals.GoalDeactivateDeviceWithName;
import scienceworld.tasks.goals.specificgoals.GoalLifeStageAnywhere;
import scienceworld.tasks.goals.specificgoals.GoalSpecificObjectInDirectContainer;

/**
 * The simulator's goals that took most of a step, with the same results.
 *
 * <p>After each tick they look for something among all that is visible, and for each question the simulator gathers
 * that in sets of sets; as identity hashes are all equal, a set costs the square of its size. Here it is walked through.
 */
final class QuickGoals {
    private static final MethodHandle CONTAINED = getter(EnvObject.class, "containedObjects", Set.class);
    private static final MethodHandle PORTALS = getter(EnvObject.class, "portals", Set.class);

    private QuickGoals() {}

    /** Put the quick goals in the places of those they stand for. */
    static void install(GoalSequence sequence) {
        for (Goal[] goals : new Goal[][] {sequence.subgoals(), optional(sequence)}) {
            for (int i = 0; i < goals.length; i++) {
                goals[i] = quick(goals[i]);
            }
        }
    }

    private static Goal quick(Goal goal) {
        if (goal.getClass() == GoalLifeStageAnywhere.class) {
            return new LifeStage(goal);
        }
        if (goal.getClass() == GoalSpecificObjectInDirectContainer.class) {
            List<String> names = Arrays.asList((String[]) value(goal, "validObjectNames"));
            return new Named(goal, "containerName", object -> holdsOneOf(names, object));
        }
        if (goal.getClass() == GoalActivateDeviceWithName.class) {
            return new Named(goal, "deviceName",
                object -> object.propDevice().isDefined() && object.propDevice().get().isActivated());
        }
        if (goal.getClass() == GoalDeactivateDeviceWithName.class) {
            return new Named(goal, "deviceName",
                object -> object.propDevice().isDefined() && !object.propDevice().get().isActivated());
        }
        return goal;
    }

    /** Whether an object of one of the names is right in this one. */
    private static boolean holdsOneOf(List<String> names, EnvObject object) {
        Iterator<EnvObject> contents = contained(object);
        while (contents.hasNext()) {
            EnvObject one = contents.next();
            if (!one.isHidden() && (names.contains(one.name()) || names.contains(described(one)))) {
                return true;
            }
        }
        return false;
    }

    /** A goal with all that the one it stands for says of itself. */
    private abstract static class QuickGoal extends Goal {
        QuickGoal(Goal original) {
            super(original.description(), original.key(), original.keysMustBeCompletedBefore());
            isOptional_$eq(original.isOptional());
            defocusOnSuccess_$eq(original.defocusOnSuccess());
        }

        /** Whether it is met, seen from the place where the agent is. */
        abstract boolean isMetIn(EnvObject place);

        @Override
        public GoalReturn isGoalConditionSatisfied(Option<EnvObject> focus, boolean isFirst, GoalSequence goals,
                Agent agent) {
            Option<EnvObject> place = agent.getContainer();
            return new GoalReturn(place.isDefined() && isMetIn(place.get()), false);
        }
    }

    /** So many living things of a kind, at a stage of life, are visible. */
    private static final class LifeStage extends QuickGoal {
        private final String kind;
        private final String stage;
        private final int least;

        LifeStage(Goal original) {
            super(original);
            kind = (String) value(original, "lifeFormType");
            stage = ((String) value(original, "lifeStageName")).toLowerCase();
            least = (Integer) value(original, "minNumToFind");
        }

        @Override
        boolean isMetIn(EnvObject place) {
            List<EnvObject> found = new ArrayList<>(); // each once, as in a set
            any(place, object -> {
                if (object instanceof LivingThing && fits((LivingThing) object) && !found.contains(object)) {
                    found.add(object);
                }
                return false;
            });
            return found.size() >= least;
        }

        private boolean fits(LivingThing object) {
            return object.propLife().isDefined()
                && kind.equals(object.propLife().get().lifeformType())
                && object.lifecycle().isDefined()
                && object.lifecycle().get().getCurStageName().toLowerCase().equals(stage);
        }
    }

    /** Something of that name is visible and as it should be. */
    private static final class Named extends QuickGoal {
        private final String name;
        private final Predicate<EnvObject> wanted;

        Named(Goal original, String field, Predicate<EnvObject> wanted) {
            super(original);
            name = ((String) value(original, field)).toLowerCase();
            this.wanted = wanted;
        }

        @Override
        boolean isMetIn(EnvObject place) {
            return any(place, object -> isNamed(object) && wanted.test(object));
        }

        private boolean isNamed(EnvObject object) {
            return object.name().toLowerCase().equals(name) || described(object).toLowerCase().equals(name);
        }
    }

    private static String described(EnvObject object) {
        return object.getDescriptName(object.getDescriptName$default$1());
    }

    /** Whether it holds for anything of getContainedObjectsAndPortalsRecursive(false, false), asked in another order. */
    private static boolean any(EnvObject place, Predicate<EnvObject> wanted) {
        Iterator<Portal> portals = portals(place);
        while (portals.hasNext()) {
            Portal portal = portals.next();
            if (!portal.isHidden() && wanted.test(portal)) {
                return true;
            }
        }
        Iterator<EnvObject> objects = contained(place);
        while (objects.hasNext()) {
            EnvObject object = objects.next();
            if (!object.isHidden() && (wanted.test(object) || any(object, wanted))) {
                return true;
            }
        }
        return false;
    }

    @SuppressWarnings("unchecked")
    private static Iterator<EnvObject> contained(EnvObject object) {
        try {
            return ((Set<EnvObject>) CONTAINED.invokeExact(object)).iterator();
        } catch (Throwable error) {
            throw new IllegalStateException(error);
        }
    }

    @SuppressWarnings("unchecked")
    private static Iterator<Portal> portals(EnvObject object) {
        try {
            return ((Set<Portal>) PORTALS.invokeExact(object)).iterator();
        } catch (Throwable error) {
            throw new IllegalStateException(error);
        }
    }

    private static Goal[] optional(GoalSequence sequence) {
        return (Goal[]) value(sequence, "optionalUnorderedSubgoals");
    }

    /** Return what a field holds that only its class sees. */
    private static Object value(Object owner, String name) {
        try {
            Field field = owner.getClass().getDeclaredField(name);
            field.setAccessible(true);
            return field.get(owner);
        } catch (ReflectiveOperationException error) {
            throw new IllegalStateException(error);
        }
    }

    private static MethodHandle getter(Class<?> owner, String name, Class<?> type) {
        try {
            return MethodHandles.privateLookupIn(owner, MethodHandles.lookup()).findGetter(owner, name, type);
        } catch (ReflectiveOperationException error) {
            throw new ExceptionInInitializerError(error);
        }
    }
}
