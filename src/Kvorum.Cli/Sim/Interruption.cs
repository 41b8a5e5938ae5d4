using System.Runtime.InteropServices;

namespace Kvorum.Cli.Sim;

/// <summary>
/// Lets long work end well on Ctrl-C or SIGTERM: the first one asks for the end, and the summary so far is printed; a
/// second one ends the process at once.
/// </summary>
internal static class Interruption
{
    public static async Task<int> RunAsync(Func<CancellationToken, Task<int>> work)
    {
        using var asked = new CancellationTokenSource();
        using var interrupt = OnSignal(PosixSignal.SIGINT, asked);
        using var terminate = OnSignal(PosixSignal.SIGTERM, asked);
        return await work(asked.Token).ConfigureAwait(false);
    }

    private static PosixSignalRegistration OnSignal(PosixSignal signal, CancellationTokenSource asked) =>
        PosixSignalRegistration.Create(signal, context =>
        {
            context.Cancel = !asked.IsCancellationRequested;
            asked.Cancel();
        });
}
