using Kvorum.Kv;

namespace Kvorum.Node;

/// <summary>
/// The engine as readers see it. A stopping node disposes its engine while confirmed reads may still wait for a thread;
/// they must hear that the node stopped, whatever a disposed engine would show them.
/// </summary>
internal sealed class ReadableEngine(IEngine engine)
{
    private int _isClosed;

    /// <summary>Called before the engine is disposed: no view opened from then on is given out.</summary>
    public void Close() => Interlocked.Exchange(ref _isClosed, 1);

    /// <summary>A view of this moment; null when the engine is closed.</summary>
    public IEngineView? TryOpenView()
    {
        // First the view, then the question: a view of a disposed engine is never given out.
        var view = engine.OpenView();
        if (Volatile.Read(ref _isClosed) == 0)
        {
            return view;
        }

        view.Dispose();
        return null;
    }
}
