using System.Diagnostics;
using System.Globalization;
using Kvorum.Simulator;

namespace Kvorum.Cli.Sim;

/// <summary>
/// One line on stderr that tells how far a sweep is: rewritten on a terminal, a new one now and then elsewhere.
/// </summary>
internal sealed class SimProgress : IDisposable
{
    private static readonly TimeSpan OnTerminal = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan InFile = TimeSpan.FromSeconds(10);

    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly SeedSweep _sweep;
    private readonly string _what;
    private readonly long? _seedsWanted;
    private readonly bool _isTerminal = !Console.IsErrorRedirected;
    private readonly Timer _timer;
    private readonly Lock _lock = new();
    private int _width;
    private int _told;
    private bool _isOver;

    public SimProgress(SeedSweep sweep, string what, long? seedsWanted)
    {
        _sweep = sweep;
        _what = what;
        _seedsWanted = seedsWanted;
        var every = _isTerminal ? OnTerminal : InFile;
        _timer = new Timer(_ => Show(), null, every, every);
    }

    public TimeSpan Elapsed => _clock.Elapsed;

    public void Dispose()
    {
        _timer.Dispose();
        lock (_lock)
        {
            _isOver = true;
            if (_isTerminal && _width > 0)
            {
                Console.Error.Write("\r" + new string(' ', _width) + "\r");
            }
        }
    }

    /// <summary>"1 d 3 h", "12 min 5 s", "3.2 s".</summary>
    public static string Text(double seconds)
    {
        var time = TimeSpan.FromSeconds(seconds);
        return time switch
        {
            { TotalDays: >= 365 } => (time.TotalDays / 365.25).ToString("0.0 'years'", CultureInfo.InvariantCulture),
            { TotalDays: >= 1 } => $"{(int)time.TotalDays} d {time.Hours} h",
            { TotalHours: >= 1 } => $"{(int)time.TotalHours} h {time.Minutes} min",
            { TotalMinutes: >= 1 } => $"{(int)time.TotalMinutes} min {time.Seconds} s",
            _ => time.TotalSeconds.ToString("0.0 's'", CultureInfo.InvariantCulture),
        };
    }

    public static string Text(long number) => number.ToString("N0", CultureInfo.InvariantCulture);

    private void Show()
    {
        var totals = _sweep.Totals;
        var seconds = _clock.Elapsed.TotalSeconds;
        var seeds = _seedsWanted is { } wanted ? $"{Text(totals.Seeds)} of {Text(wanted)}" : Text(totals.Seeds);
        var speed = seconds > 0 ? totals.SimulatedSeconds / seconds : 0;
        var faults = Text(totals.Injected.Values.Sum());
        var time = Text(totals.SimulatedSeconds);
        var line = $"{_what}: {seeds} seeds, {time} simulated, {Text((long)speed)}x real time, "
            + $"{faults} faults, {totals.Marks.Count} marks, {totals.Failures.Count} violations";
        lock (_lock)
        {
            if (_isOver)
            {
                return;
            }

            for (; _told < totals.Failures.Count; _told++)
            {
                Tell(totals.Failures[_told]);
            }

            if (_isTerminal)
            {
                Console.Error.Write("\r" + line.PadRight(_width));
                _width = line.Length;
            }
            else
            {
                Console.Error.WriteLine(line);
            }
        }
    }

    /// <summary>A long sweep does not keep what it found to itself until its end.</summary>
    private void Tell(SimResult failure)
    {
        var line = $"{_what}: seed {failure.Plan.Seed} breaks {failure.Violation!.Rule}: "
            + failure.Violation.Explanation;
        Console.Error.WriteLine(_isTerminal ? "\r" + line.PadRight(_width) : line);
    }
}
