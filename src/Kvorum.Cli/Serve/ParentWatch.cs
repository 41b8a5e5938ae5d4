namespace Kvorum.Cli.Serve;

/// <summary>Ends this process when the one that started it ends, however that one ended.</summary>
/// <remarks>
/// The parent holds the other end of our stdin; the kernel closes it even on kill -9. PR_SET_PDEATHSIG would not do: it
/// follows the parent's <i>thread</i>, and a thread of a pool may end long before its process.
/// </remarks>
internal static class ParentWatch
{
    /// <param name="onParentGone">Asks for a graceful stop; called once, on its own thread.</param>
    /// <param name="stopMax">After it the process ends without further asking.</param>
    public static void Start(Action onParentGone, TimeSpan stopMax)
    {
        var thread = new Thread(() =>
        {
            using var input = Console.OpenStandardInput();
            Span<byte> ignored = stackalloc byte[64];
            while (input.Read(ignored) > 0)
            {
                // Whatever is typed here means nothing; only the end counts.
            }

            onParentGone();
            Thread.Sleep(stopMax);
            Environment.Exit(ExitCode.Failed);
        })
        {
            IsBackground = true,
            Name = "parent watch",
        };
        thread.Start();
    }
}
