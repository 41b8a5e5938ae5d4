namespace Kvorum.Node;

/// <summary>Where work runs: on threads of its own in a live node, in virtual time in the simulator.</summary>
public interface IExecutor
{
    /// <summary>
    /// Makes a worker that calls <paramref name="turn"/> after each wake, never twice at the same time.
    /// </summary>
    /// <param name="name">For thread names and traces.</param>
    /// <param name="turn">Does all work that is there, then returns; may block in I/O; never throws.</param>
    /// <param name="every">Wakes it by itself this often, too; null: only <see cref="IWorker.Wake"/> does.</param>
    IWorker Attach(string name, Action turn, TimeSpan? every = null);

    /// <summary>Runs work that belongs to callers (their continuations) soon, anywhere, in any order.</summary>
    void Queue(IThreadPoolWorkItem work);
}

/// <summary>A place where one component's work runs, one turn at a time.</summary>
public interface IWorker
{
    /// <summary>Makes sure a turn begins after this call. Any thread; wakes before a turn begins coalesce.</summary>
    void Wake();

    /// <summary>Waits for the running turn to end (unless called from it); no turn begins afterwards.</summary>
    void Stop();
}
