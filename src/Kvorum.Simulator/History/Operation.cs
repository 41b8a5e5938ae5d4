namespace Kvorum.Simulator;

/// <summary>How a client's operation ended.</summary>
public enum OperationOutcome
{
    /// <summary>Answered: the observations are there.</summary>
    Done = 0,

    /// <summary>Surely without effect; never seen by anybody.</summary>
    NoEffect = 1,

    /// <summary>A timeout, a broken connection, a crash: it may take effect at any time after its invocation.</summary>
    Unknown = 2,
}

/// <summary>What one step of an operation does to one key.</summary>
public enum StepKind
{
    /// <summary>Reads the value; <see cref="Step.Seen"/> tells what was found.</summary>
    Read = 0,

    /// <summary>Sets the value to <see cref="Step.Argument"/>.</summary>
    Write = 1,

    /// <summary>Removes the key; seen: length 1 when there was one, else 0, and then no revision was used.</summary>
    Delete = 2,

    /// <summary>Appends <see cref="Step.Argument"/> to the key's list; seen: the length after it.</summary>
    Append = 3,

    /// <summary>
    /// Demands that the value equals <see cref="Step.Argument"/> (null: that the key is absent). When one of an
    /// operation's compares fails, the operation changes nothing and is <see cref="Operation.Succeeded"/> = false.
    /// </summary>
    CompareValue = 4,
}

/// <summary>What a step found.</summary>
/// <param name="Value">The value; null when the key is absent. A list is the JSON text of its items.</param>
/// <param name="ModRevision">The revision that wrote it; 0 when absent or not told.</param>
/// <param name="Length">Append: items in the list after it. Delete: keys removed. Else 0.</param>
public readonly record struct Observation(string? Value, long ModRevision, long Length);

/// <summary>One step of an operation. An operation's steps take effect in order and at one moment.</summary>
/// <param name="Argument">What is written, appended or expected; null for reads, deletes and "absent".</param>
/// <param name="Seen">What was answered; null when there is no answer.</param>
public sealed record Step(StepKind Kind, string Key, string? Argument, Observation? Seen);

/// <summary>One operation of one client, from invocation to answer: what every judge reads.</summary>
/// <param name="Number">Its place in the history, from 0.</param>
/// <param name="Client">Each client has at most one operation under way.</param>
/// <param name="Invoked">Virtual time in microseconds, taken before the request was sent.</param>
/// <param name="Returned">Taken after the answer was received; <see cref="long.MaxValue"/> when unknown.</param>
/// <param name="Revision">
/// The revision at which it says it took effect (a read: the revision it read at); 0 when not told.
/// </param>
/// <param name="IsWrite">Whether it may change something.</param>
/// <param name="IsLocal">A read that asked for no freshness: judges of real time leave it out.</param>
/// <param name="Succeeded">False when a compare failed; true otherwise. Meaningless unless Done.</param>
public sealed record Operation(
    int Number,
    int Client,
    long Invoked,
    long Returned,
    OperationOutcome Outcome,
    long Revision,
    bool IsWrite,
    bool IsLocal,
    bool Succeeded,
    IReadOnlyList<Step> Steps);
