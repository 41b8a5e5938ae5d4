namespace Kvorum.Simulator;

/// <summary>Ends, pauses and restarts of processes, and clocks.</summary>
internal sealed class ProcessFaults(SimWorld world, SimSettings settings, SimNode[] nodes, FaultDriver driver)
{
    private const int WallJumpSeconds = 100_000;

    private CrashKeeps Keeps => (CrashKeeps)settings.CrashKeeps;

    public void Strike(Fault fault)
    {
        var node = nodes[fault.Nodes[0] - 1];
        switch (fault.Kind)
        {
            case FaultKind.Crash: End(node, fault.Duration, fault.Amount % 2 == 0 ? null : Keeps); break;
            case FaultKind.CrashAtDiskOperation: Arm(node, fault); break;
            case FaultKind.CrashAfterSend: Arm(node, fault); break;
            case FaultKind.Pause: Pause(node, fault); break;
            case FaultKind.RestartLoop:
                Loop(node, world.Now + fault.Duration, Math.Max(1_000, fault.Amount), ChanceOf(fault));
                break;
            case FaultKind.PowerLoss: LosePower(fault); break;
            case FaultKind.GracefulStop: HandOver(node, fault); break;
            default: break;
        }
    }

    public void StrikeOther(Fault fault)
    {
        var node = nodes[fault.Nodes[0] - 1];
        switch (fault.Kind)
        {
            case FaultKind.ClockDrift:
                node.Clock.Drift((int)fault.Amount);
                driver.After(fault.Duration, () => node.Clock.Drift(0));
                break;
            case FaultKind.ClockJump:
                node.Clock.JumpForward(fault.Amount);
                node.Clock.JumpWall((fault.Amount % WallJumpSeconds - WallJumpSeconds / 2) * 1_000_000);
                break;
            default: break;
        }
    }

    private void End(SimNode node, long duration, CrashKeeps? keeps)
    {
        if (node.IsRunning && driver.MayEnd(node))
        {
            node.DownUntil = world.Now + duration;
            node.Crash(keeps);
            driver.After(duration, node.Start);
        }
    }

    private static void Arm(SimNode node, Fault fault)
    {
        if (node.IsPoisoned || node.Process is not { DiskHandle: { } disk } process)
        {
            return;
        }

        node.DownAfterCrash = fault.Duration;
        var count = (int)Math.Clamp(fault.Amount, 1, 1_000);
        if (fault.Kind is FaultKind.CrashAtDiskOperation)
        {
            disk.OperationsUntilCrash = count;
        }
        else
        {
            process.FramesUntilCrash = count;
        }
    }

    /// <summary>A fault's own draws: without it, no other draw moves.</summary>
    private ChanceSource ChanceOf(Fault fault) => new(world.Chance, ChanceStream.Fault, (ulong)fault.Number);

    private void Pause(SimNode node, Fault fault)
    {
        var began = world.Now;
        node.PausedUntil = Math.Max(node.PausedUntil, world.Now + fault.Duration);
        if (fault.Amount % 2 == 0)
        {
            // The machine was frozen: its clock, too. The event comes before what waits for the end of the pause.
            driver.After(fault.Duration, () => node.Clock.StoodStillSince(began));
        }
    }

    private void Loop(SimNode node, long until, long life, ChanceSource chance)
    {
        if (world.Now >= until)
        {
            node.Start();
            return;
        }

        End(node, 1 + chance.Below((int)Math.Min(life, 1_000_000)), Keeps);
        driver.After(2 + chance.Below((int)Math.Min(2 * life, 2_000_000)), () => Loop(node, until, life, chance));
    }

    private void LosePower(Fault fault)
    {
        foreach (var node in nodes)
        {
            if (node.IsPoisoned)
            {
                return; // What its disk lost would show while everybody forgets.
            }
        }

        var chance = ChanceOf(fault);
        foreach (var node in nodes)
        {
            var down = fault.Duration / 2 + chance.Exponential(fault.Duration / 2);
            node.DownUntil = world.Now + down;
            node.Crash(Keeps);
            driver.After(down, node.Start);
        }
    }

    private void HandOver(SimNode node, Fault fault)
    {
        if (fault.Amount % 2 == 0 && node.Process is { IsOpen: true } process)
        {
            driver.HandOver(process, () =>
            {
                if (node.Process == process && !driver.IsOver)
                {
                    Stop(node, fault.Duration);
                }
            });
        }
        else
        {
            Stop(node, fault.Duration);
        }
    }

    private void Stop(SimNode node, long duration)
    {
        if (node.IsRunning && driver.MayEnd(node) && node.PausedUntil <= world.Now)
        {
            node.DownUntil = world.Now + duration;
            node.StopInOrder();
            driver.After(duration, node.Start);
        }
    }
}
