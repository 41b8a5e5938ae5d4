using System.Diagnostics;

namespace Kvorum.SystemTests.Running;

/// <summary>Waiting for a condition, with a limit: the only way this project waits.</summary>
public static class Wait
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(10);

    /// <summary>
    /// The default limit: generous, because two cores may be busy; a test that is right never needs it.
    /// </summary>
    public static TimeSpan Usual { get; } = TimeSpan.FromSeconds(30);

    /// <summary>Polls until <paramref name="find"/> gives something.</summary>
    /// <exception cref="TimeoutException">
    /// It did not within <paramref name="limit"/>; names <paramref name="what"/>.
    /// </exception>
    public static async Task<T> ForAsync<T>(string what, TimeSpan limit, Func<Task<T?>> find)
        where T : class
    {
        var clock = Stopwatch.StartNew();
        while (true)
        {
            if (await find() is { } found)
            {
                return found;
            }

            if (clock.Elapsed > limit)
            {
                throw new TimeoutException($"Waited {clock.Elapsed.TotalSeconds:0.0} s in vain for: {what}.");
            }

            await Task.Delay(PollInterval);
        }
    }

    public static Task UntilAsync(string what, TimeSpan limit, Func<Task<bool>> holds) =>
        ForAsync(what, limit, async () => await holds() ? "" : null);

    public static Task UntilAsync(string what, TimeSpan limit, Func<bool> holds) =>
        UntilAsync(what, limit, () => Task.FromResult(holds()));
}
