using Kvorum.Kv;

namespace Kvorum.Node;

/// <summary>Something looked up in the state machine, on the thread that alone may look.</summary>
internal abstract class ApplierQuestion
{
    /// <summary>Applier thread.</summary>
    public abstract void Answer(KvMachine machine);

    /// <summary>There will be no answer. Any thread.</summary>
    public abstract void Fail(Exception reason);
}

/// <inheritdoc />
internal sealed class ApplierQuestion<T>(Func<KvMachine, T> question) : ApplierQuestion
{
    private readonly TaskCompletionSource<T> _answer = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task<T> Task => _answer.Task;

    public override void Answer(KvMachine machine) => _answer.TrySetResult(question(machine));

    public override void Fail(Exception reason) => _answer.TrySetException(reason);
}
